// Package awsstub is a Terraform provider that knows the schema of hashicorp/aws and
// nothing else: it lets `terraform validate` and `terraform test` with mocks refuse
// unknown arguments, missing required ones and wrong types where the real provider
// cannot be had. It never talks to AWS; whatever would is an error.
//
// The schema is read from the npm package @cdktf/provider-aws, whose generated
// JavaScript names every argument, block and attribute (Extract; scripts/aws-schema
// fetches it and keeps the result in .tools). What that package does not tell, the
// stub does not check: which arguments conflict, what values are allowed, how many
// blocks there may be beyond "one" and "any number". Which optional arguments AWS fills
// in is not told either: the stub lets it fill in all. Nothing here stands in for an
// apply.
package awsstub
