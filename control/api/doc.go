// Package api serves the control plane over HTTP: JSON in and out, bearer tokens,
// TLS only. The document openapi.yaml describes it, and is served at
// /v1/openapi.json; a test compares it with the routes and types here.
//
// A request goes through these, in this order: an id and a line in the log, a bound on
// how many are worked on at once, the token and its role, the handler. /healthz is the
// only thing that needs no token, and the only thing that anybody learns without one.
//
// A handler reads strictly (decode.go), and answers with what package wire has. Errors
// are RFC 9457's, by one function (problemOf). What it stores it hands to package
// store; the reconciler takes it from there, in this process or another: any number of
// processes serve the same API.
//
// Passwords of users are hashed as soon as they have been read, and are in no log, no
// answer and not in etcd.
package api
