package grpccreds

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
)

// stream is a [grpc.StreamClientInterceptor]: its streams are repeated once if their token is rejected.
func (c *creds) stream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	s := &stream{desc: desc, conn: cc, method: method, streamer: open, opts: opts}
	s.first = call{Context: ctx, creds: c, own: perCall(opts)}
	s.call, s.changed.L = &s.first, &s.mu
	inner, err := s.open(s.call)
	if err != nil {
		return nil, err
	}
	s.inner = inner
	return s, nil
}

// A stream is one that can be begun anew, unseen by the caller, until something of the server's answer has been handed
// out. It keeps what the caller sends until then.
//
// gRPC lets one goroutine send and another receive. Whichever of the two learns that the stream has ended repeats it,
// and must have both directions for itself meanwhile.
type stream struct {
	desc     *grpc.StreamDesc
	conn     *grpc.ClientConn
	method   string
	streamer grpc.Streamer
	opts     []grpc.CallOption
	first    call

	mu        sync.Mutex // guards what follows; never held while calling out
	changed   sync.Cond  // when sending, receiving or repeating became false, settled or repeated true
	sending   bool       // someone has the direction for themselves
	receiving bool       // the same
	repeating bool
	inner     grpc.ClientStream
	call      *call // inner's
	kept      []message
	size      int // of kept
	closed    bool
	settled   bool  // nothing is kept any more: it is too late, or it would be too much
	repeated  bool  // inner is the second one
	received  bool  // a message
	result    error // what the stream has come to; nil: it goes on
	cancel    context.CancelFunc
}

func (s *stream) open(c *call) (grpc.ClientStream, error) {
	return s.streamer(c, s.desc, s.conn, s.method, s.opts...)
}

// SendMsg sends m, and keeps a copy while the stream might be repeated. If the stream turns out to have ended by a
// rejection, m is sent on the next.
func (s *stream) SendMsg(m any) error {
	s.acquire(&s.sending)
	s.keep(m)
	inner, repeated := s.current()
	err := inner.SendMsg(m)
	if err != nil && err != io.EOF {
		s.settle() // The fault is on this side, and has ended the stream.
	}
	s.release(&s.sending)
	if err == io.EOF && s.outlives(repeated) {
		return nil
	}
	return err
}

// CloseSend ends what the caller sends.
func (s *stream) CloseSend() error {
	s.acquire(&s.sending)
	defer s.release(&s.sending)
	s.mu.Lock()
	s.closed = true
	inner := s.inner
	s.mu.Unlock()
	return inner.CloseSend()
}

// RecvMsg receives into m, from the second stream if the first was rejected before it brought a message.
func (s *stream) RecvMsg(m any) error {
	s.acquire(&s.receiving)
	defer s.release(&s.receiving)
	for {
		s.mu.Lock()
		inner, result := s.inner, s.result
		s.mu.Unlock()
		if result != nil {
			return result
		}
		err := s.receive(inner, m)
		if err == nil {
			s.mu.Lock()
			s.received = true
			s.settleLocked()
			s.mu.Unlock()
			return nil
		}
		if err := s.repeat(err); err != nil {
			return err
		}
	}
}

// receive receives into m from inner. If an attempt that gRPC makes by itself ends before it has all messages, gRPC
// returns io.EOF, or an error around that, whatever the server's status is. It returns the status when asked again.
func (s *stream) receive(inner grpc.ClientStream, m any) error {
	err := inner.RecvMsg(m)
	if errors.Is(err, io.EOF) && !s.received && s.call.attempts.Load() > 1 {
		err = inner.RecvMsg(m)
	}
	return err
}

// Header returns the header of the stream that the caller gets to see: once it is out, that is this one.
func (s *stream) Header() (metadata.MD, error) {
	for {
		inner, repeated := s.current()
		md, err := inner.Header()
		switch {
		case md == nil && err == nil: // it ended without one
			if !s.outlives(repeated) {
				return nil, nil
			}
		case s.settleAt(repeated):
			return md, err
		}
	}
}

// Trailer returns what came after the last message.
func (s *stream) Trailer() metadata.MD {
	inner, _ := s.current()
	return inner.Trailer()
}

// Context returns the context of the stream, which ends with it. As with all of gRPC's streams, nothing is repeated
// after that.
func (s *stream) Context() context.Context {
	for {
		inner, repeated := s.current()
		if s.settleAt(repeated) {
			return inner.Context()
		}
	}
}

// keep copies m for a repetition, if there may be one. The caller is sending.
func (s *stream) keep(m any) {
	s.mu.Lock()
	settled := s.settled
	s.mu.Unlock()
	if settled {
		return
	}
	message, ok := copyOf(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size += message.size()
	if !ok || s.size > s.first.creds.options.ReplayLimit {
		s.settleLocked()
	}
	if !s.settled {
		s.kept = append(s.kept, message)
	}
}

// outlives reports whether the stream goes on though the one below, which was the second if repeated, has ended. If
// nobody is receiving, who else would find out how it ended, it does that, and repeats the stream if that helps.
func (s *stream) outlives(repeated bool) bool {
	s.mu.Lock()
	for s.receiving && s.repeated == repeated && !s.settled {
		s.changed.Wait() // The receiver comes back from the one below, since that has ended.
	}
	if s.repeated != repeated || s.settled {
		defer s.mu.Unlock()
		return s.repeated != repeated
	}
	s.receiving = true
	inner := s.inner
	s.mu.Unlock()
	defer s.release(&s.receiving)
	if md, _ := inner.Header(); md != nil {
		s.settle() // There may be messages too, which are the receiver's.
		return false
	}
	return s.repeat(s.receive(inner, new(emptypb.Empty))) == nil // Without a header there is no message.
}

// repeat begins the stream anew if err, with which inner has ended, is a rejection of its token, another is to be had,
// and it is not too late. If not, it returns what the stream has come to. The caller is receiving.
func (s *stream) repeat(err error) error {
	if !s.call.rejected(err) {
		return s.end(err)
	}
	s.acquire(&s.sending) // The sender, if there is one, comes back by itself: inner has ended.
	defer s.release(&s.sending)
	if !s.beginRepeat() {
		if !s.repeated || s.received {
			s.call.creds.invalidate(s.call.used.Load().token)
		}
		return s.end(err)
	}
	next, inner, err := s.again(err)
	s.mu.Lock()
	s.repeating = false
	if err == nil {
		s.call, s.inner, s.repeated = next, inner, true
		s.settleLocked()
	}
	s.mu.Unlock()
	if err != nil {
		return s.end(err)
	}
	return nil
}

// again opens the second stream, with another token, and sends on it what was sent on the first. The caller has both
// directions, and nothing settles the stream meanwhile.
func (s *stream) again(rejection error) (*call, grpc.ClientStream, error) {
	messages := make([]any, len(s.kept))
	for i, kept := range s.kept {
		m, err := kept.restore()
		if err != nil {
			return nil, nil, rejection
		}
		messages[i] = m
	}
	ctx, cancel := s.call.remaining()
	if err := s.call.renew(ctx, rejection); err != nil {
		cancel()
		return nil, nil, err
	}
	next := &call{Context: ctx, creds: s.call.creds, own: s.call.own}
	inner, err := s.open(next)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	s.cancel = cancel
	for _, m := range messages {
		if inner.SendMsg(m) != nil {
			return next, inner, nil // It has ended; RecvMsg says how. CloseSend would say that this is all.
		}
	}
	if s.closed {
		inner.CloseSend()
	}
	return next, inner, nil
}

// beginRepeat reports whether the stream may still be repeated. If so, nothing else settles it until the repetition is
// over.
func (s *stream) beginRepeat() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeating = !s.settled
	return s.repeating
}

// end notes what the stream has come to, and returns it. The caller is receiving.
func (s *stream) end(err error) error {
	s.mu.Lock()
	s.settleLocked()
	s.result = err
	s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
	return err
}

// current returns the stream below and whether that is the second one.
func (s *stream) current() (inner grpc.ClientStream, repeated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner, s.repeated
}

// settleAt settles the stream, unless another has been begun since repeated was true for it.
func (s *stream) settleAt(repeated bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.repeating {
		s.changed.Wait()
	}
	if s.repeated != repeated {
		return false
	}
	s.settleLocked()
	return true
}

func (s *stream) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
}

func (s *stream) settleLocked() {
	s.settled, s.kept = true, nil
	s.changed.Broadcast()
}

// acquire waits until nobody else has the direction, sending or receiving, and takes it.
func (s *stream) acquire(direction *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for *direction {
		s.changed.Wait()
	}
	*direction = true
}

func (s *stream) release(direction *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*direction = false
	s.changed.Broadcast()
}
