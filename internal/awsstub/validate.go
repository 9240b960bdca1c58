package awsstub

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// unsettable finds attributes that a configuration sets and AWS alone decides.
func unsettable(schema *tfprotov5.Schema, config *tfprotov5.DynamicValue) ([]*tfprotov5.Diagnostic, error) {
	value, err := config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return unsettableIn(schema.Block, value, tftypes.NewAttributePath())
}

func unsettableIn(block *tfprotov5.SchemaBlock, value tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var fields map[string]tftypes.Value
	if err := value.As(&fields); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var problems []*tfprotov5.Diagnostic
	for _, attribute := range block.Attributes {
		if attribute.Computed && !attribute.Optional && !fields[attribute.Name].IsNull() {
			problems = append(problems, &tfprotov5.Diagnostic{
				Severity:  tfprotov5.DiagnosticSeverityError,
				Summary:   "Attribute cannot be set",
				Detail:    fmt.Sprintf("The value of %q is decided by AWS.", attribute.Name),
				Attribute: path.WithAttributeName(attribute.Name),
			})
		}
	}
	for _, nested := range block.BlockTypes {
		inner := fields[nested.TypeName]
		if inner.IsNull() || !inner.IsKnown() {
			continue
		}
		items := []tftypes.Value{inner}
		if nested.Nesting != tfprotov5.SchemaNestedBlockNestingModeSingle {
			if err := inner.As(&items); err != nil {
				return nil, fmt.Errorf("reading %s of %s: %w", nested.TypeName, path, err)
			}
		}
		for _, item := range items {
			// The path ends at the block: an element of a set has none.
			found, err := unsettableIn(nested.Block, item, path.WithAttributeName(nested.TypeName))
			if err != nil {
				return nil, err
			}
			problems = append(problems, found...)
		}
	}
	return problems, nil
}
