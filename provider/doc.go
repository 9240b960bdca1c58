// Package provider is the Terraform provider: clusters, users, ACLs, parameter groups
// and snapshots of a control plane as resources and data sources, over package
// control/client. Names and shapes are those of the AWS provider's aws_memorydb_*.
//
// # A change
//
// What is right and what changes in place is package control/spec's to say; it is asked
// while Terraform plans, with what is known by then, and its problems are reported at
// the attribute that they are about.
//
// A change is what differs between state and plan, put over what the control plane has
// now (merge.go). Changes that others make meanwhile stay; one of the same field is an
// error. It is sent at whatever state the cluster is in, queues behind earlier ones,
// and is waited for.
//
// # An apply that breaks off
//
// A resource is in the state as soon as the control plane has it. When waiting for it
// ends early, by a signal or because the time that timeouts gives is over, the operation
// is noted beside the state, and the next plan has an update in it that waits for the
// rest: nothing is tainted, so nothing is destroyed and made again. A provider that was
// killed before it could say anything leaves a resource that the next apply finds in its
// place: it takes it over if it is exactly what it was going to make, never changed, and
// made by the same token within a day.
//
// # Secrets
//
// Passwords are write-only arguments: Terraform keeps them neither in plans nor in the
// state. The token is in no log, and in no state.
package provider
