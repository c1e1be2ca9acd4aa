package grpccreds

import (
	"testing"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// old is a message as generators made them before there was a google.golang.org/protobuf.
type old struct {
	Name string `protobuf:"bytes,1,opt,name=name,proto3"`
}

func (m *old) Reset()       { *m = old{} }
func (*old) String() string { return "" }
func (*old) ProtoMessage()  {}

func TestCopiesAreOfTheSameTypeAndOfThatMoment(t *testing.T) {
	generated := &testgrpc.Payload{Body: []byte("before")}
	dynamic := dynamicpb.NewMessage(generated.ProtoReflect().Descriptor())
	if err := proto.Unmarshal([]byte("\x12\x06before"), dynamic); err != nil {
		t.Fatal(err)
	}
	early := &old{Name: "before"}
	var copies [3]message
	for i, m := range []any{generated, dynamic, early} {
		var ok bool
		if copies[i], ok = copyOf(m); !ok || copies[i].size() != 8+frame {
			t.Fatalf("%T: %v, %d bytes", m, ok, copies[i].size())
		}
	}
	copy(generated.Body, "after!")
	proto.Reset(dynamic)
	early.Name = "after"

	want := &testgrpc.Payload{Body: []byte("before")}
	for i := range copies {
		for range 2 {
			m, err := copies[i].restore()
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *testgrpc.Payload:
				if i != 0 || !proto.Equal(m, want) {
					t.Errorf("%d: %v", i, m)
				}
			case *dynamicpb.Message:
				body := m.Get(m.Descriptor().Fields().ByName("body")).Bytes()
				if i != 1 || string(body) != "before" {
					t.Errorf("%d: %v", i, m)
				}
			case *old:
				if i != 2 || m.Name != "before" || m == early {
					t.Errorf("%d: %v", i, m)
				}
			default:
				t.Errorf("%d: a %T", i, m)
			}
		}
	}
}

func TestWhatIsNoMessageOfProtocolBuffersIsNotCopied(t *testing.T) {
	for _, m := range []any{nil, "text", []byte("text"), new(string), struct{}{}} {
		if _, ok := copyOf(m); ok {
			t.Errorf("%T was copied", m)
		}
	}
}
