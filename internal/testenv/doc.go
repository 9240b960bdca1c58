// Package testenv starts real servers for tests and for the bench program: an
// etcd cluster, an S3 server (versitygw), redis-server, Debian's aws command and
// the redoubt binary itself, each a process of its own on free ports of
// 127.0.0.1, and a TCP proxy that breaks links on request.
//
// Every function takes a TB, which *testing.T satisfies. What is started is
// killed and waited for by the test's Cleanup; should the test process itself
// die first, Linux kills the children with it. Each process writes its output
// to a file in the test's TempDir, and the end of it goes to the test's log when
// the test fails.
//
// A tool that is not there fails the test and says how to get it. No test is
// ever skipped for a missing tool.
//
// Functions that can fail the test must be called from the test's own
// goroutine, as testing.TB's FailNow demands. A program that is no test passes a
// Program, whose Catch does that for any goroutine. Functions that return an error
// (Await, Run, Process.Revive, Etcd.FindLeader and the like) fail nothing.
package testenv
