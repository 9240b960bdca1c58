// Package etcdpick chooses the etcd member that a request goes to: each in turn, as
// etcd's client does by itself, but for those that do not answer.
//
// A member can take requests and answer none, though its connection is well and it
// knows of a leader: one whose messages do not reach the other members hears of all
// that happens and forwards every request into the void. With members in turn, each
// third request would wait for its time to be over, for as long as that lasts; a
// lease of two seconds does not survive two renewals that go there.
//
// # The rule
//
// A member that lets a request's time run out, or that says itself that it cannot
// serve it, is left out for a while: [firstPause], twice as long each time that it
// happens again, [longestPause] at most. When that is over one request is sent to it;
// it is back when that one is answered. When all members are left out, none is: then
// it is etcd that does not answer and not a member.
//
// The decisions are in members, pure functions of the time; the rest is what gRPC
// asks of a balancer (google.golang.org/grpc/balancer/base).
package etcdpick
