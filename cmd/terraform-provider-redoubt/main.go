// Command terraform-provider-redoubt is the Terraform provider of package provider, as
// Terraform starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/redoubtdb/redoubt/provider"
)

// version is set when a release is built.
var version = "0.0.0-devel"

func main() {
	debug := flag.Bool("debug", false, "stay in the foreground, for a debugger")
	flag.Parse()
	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address: provider.Address, Debug: *debug, ProtocolVersion: 6,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
