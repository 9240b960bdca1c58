package etcdpick

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		err    error
		heard  bool
		waited time.Duration
		want   verdict
	}{
		{nil, true, 0, well},
		{status.Error(codes.FailedPrecondition, "etcdserver: duplicate key"), true, time.Second, well},
		{status.Error(codes.ResourceExhausted, "etcdserver: no space"), true, time.Second, well},
		{status.Error(codes.DeadlineExceeded, ""), false, 500 * time.Millisecond, unwell},
		{status.Error(codes.DeadlineExceeded, ""), false, 20 * time.Millisecond, nothing},
		{status.Error(codes.DeadlineExceeded, ""), true, 500 * time.Millisecond, nothing},
		{status.Error(codes.Canceled, ""), false, time.Minute, nothing},
		{status.Error(codes.Canceled, ""), true, time.Minute, well},
		{status.Error(codes.Unavailable, "etcdserver: no leader"), true, 0, unwell},
		{errors.New("not of gRPC"), false, 0, well},
	} {
		if got := judge(c.err, c.heard, c.waited); got != c.want {
			t.Errorf("%v after %v, heard %v: %v, want %v", c.err, c.waited, c.heard, got, c.want)
		}
	}
}

// script is a series of requests to three members, by a clock of its own.
type script struct {
	t   *testing.T
	m   *members
	now time.Time
}

var threeMembers = []string{"a", "b", "c"}

func newScript(t *testing.T) *script { return &script{t, newMembers(), time.Unix(1000, 0)} }

// send is one request that begins its choice at first; it returns its end.
func (s *script) send(first int, want string) (end func(waited time.Duration, err error)) {
	s.t.Helper()
	sent := s.now
	got := threeMembers[s.m.choose(threeMembers, first, sent)]
	if got != want {
		s.t.Fatalf("the request went to %s, want %s", got, want)
	}
	return func(waited time.Duration, err error) {
		s.now = sent.Add(max(waited, s.now.Sub(sent)))
		s.m.answered(got, sent, s.now, err == nil, err)
	}
}

func (s *script) pass(d time.Duration) { s.now = s.now.Add(d) }

func TestChoice(t *testing.T) {
	timeout := status.FromContextError(context.DeadlineExceeded).Err()
	const long = 500 * time.Millisecond

	t.Run("each in turn", func(t *testing.T) {
		s := newScript(t)
		for i := range 6 {
			s.send(i, threeMembers[i%3])(0, nil)
		}
	})
	t.Run("one that does not answer is left out, tried, and left out for longer", func(t *testing.T) {
		s := newScript(t)
		early := s.send(1, "b")
		s.send(1, "b")(long, timeout)
		early(long, timeout) // sent before: no second failure
		s.send(1, "c")(0, nil)
		s.send(4, "c")(0, nil)
		s.pass(firstPause - time.Millisecond)
		s.send(1, "c")(0, nil)
		s.pass(time.Millisecond)
		try := s.send(1, "b")
		s.send(1, "c")(0, nil) // only one request tries it
		try(long, timeout)
		s.pass(2*firstPause - time.Millisecond)
		s.send(1, "c")(0, nil)
		s.pass(time.Millisecond)
		s.send(1, "b")(0, nil)
		s.send(1, "b")(0, nil)
		s.send(1, "b")(long, timeout) // it begins anew
		s.pass(firstPause)
		s.send(1, "b")(0, nil)
	})
	t.Run("a trial that is given up is repeated", func(t *testing.T) {
		s := newScript(t)
		s.send(1, "b")(long, timeout)
		s.pass(firstPause)
		s.send(1, "b")(0, status.Error(codes.Canceled, ""))
		s.send(1, "c")(0, nil)
		s.pass(firstPause)
		s.send(1, "b")(0, nil)
	})
	t.Run("what was sent before it was left out does not bring it back", func(t *testing.T) {
		s := newScript(t)
		watch := s.send(1, "b")
		s.pass(time.Second)
		s.send(1, "b")(long, timeout)
		watch(0, nil)
		s.send(1, "c")(0, nil)
	})
	t.Run("the pause is bounded", func(t *testing.T) {
		s := newScript(t)
		for range 20 {
			s.send(1, "b")(long, timeout)
			s.pass(longestPause)
		}
		s.send(1, "b")(0, nil)
	})
	t.Run("when none answers, none is left out", func(t *testing.T) {
		s := newScript(t)
		for i := range 3 {
			s.send(i, threeMembers[i])(0, status.Error(codes.Unavailable, "etcdserver: no leader"))
		}
		for i := range 6 {
			s.send(i, threeMembers[i%3])(long/4, timeout)
		}
		s.send(2, "c")(0, nil)
		for i := range 3 { // the first that answers has all, until the others were tried
			s.send(i, "c")(0, nil)
		}
		s.pass(longestPause)
		s.send(0, "a")(0, nil)
		s.send(1, "b")(0, nil)
	})
}
