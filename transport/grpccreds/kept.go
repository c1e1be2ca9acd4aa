package grpccreds

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// frame is what gRPC puts before each message.
const frame = 5

// A message is a copy of one that was sent, made when it was: many programs use the same one, or the same buffer in it,
// for the next.
type message struct {
	kind protoreflect.MessageType
	old  bool // of the API of github.com/golang/protobuf before version 1.4
	data []byte
}

// copyOf returns a copy of m, if it is one of Protocol Buffers: those of other codecs cannot be copied.
func copyOf(m any) (message, bool) {
	var c message
	var v2 proto.Message
	switch m := m.(type) {
	case proto.Message:
		v2 = m
	case protoadapt.MessageV1:
		v2, c.old = protoadapt.MessageV2Of(m), true
	default:
		return message{}, false
	}
	c.kind = v2.ProtoReflect().Type()
	var err error
	c.data, err = proto.Marshal(v2)
	return c, err == nil
}

func (c message) size() int { return len(c.data) + frame }

// restore returns the message as it was sent.
func (c message) restore() (any, error) {
	v2 := c.kind.New().Interface()
	if err := proto.Unmarshal(c.data, v2); err != nil {
		return nil, err
	}
	if c.old {
		return protoadapt.MessageV1Of(v2), nil
	}
	return v2, nil
}
