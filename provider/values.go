package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/internal/bytesize"
)

// reader reads values of a configuration or plan into fields of a spec, and notes
// which are not known yet.
type reader struct{ unknown map[string]bool }

func newReader() *reader { return &reader{unknown: map[string]bool{}} }

func (r *reader) known(field string, v attr.Value) bool {
	if v.IsUnknown() {
		r.unknown[field] = true
	}
	return !v.IsUnknown() && !v.IsNull()
}

func (r *reader) text(field string, v types.String) string {
	r.known(field, v)
	return v.ValueString()
}

func (r *reader) number(field string, v types.Int64, def int) int {
	if !r.known(field, v) {
		return def
	}
	return int(v.ValueInt64())
}

func (r *reader) truth(field string, v types.Bool, def bool) bool {
	if !r.known(field, v) {
		return def
	}
	return v.ValueBool()
}

// texts reads the elements of a list or set; one that is not known makes all of it so.
func (r *reader) texts(field string, v interface {
	attr.Value
	Elements() []attr.Value
}) []string {
	if !r.known(field, v) {
		return nil
	}
	out := []string{}
	for _, e := range v.Elements() {
		if s, ok := e.(types.String); ok && r.known(field, s) {
			out = append(out, s.ValueString())
		}
	}
	return out
}

func (r *reader) mapping(field string, v types.Map) map[string]string {
	if !r.known(field, v) {
		return nil
	}
	out := map[string]string{}
	for k, e := range v.Elements() {
		if s, ok := e.(types.String); ok && r.known(field, s) {
			out[k] = s.ValueString()
		}
	}
	return out
}

// judge are the problems that are about what is known.
func (r *reader) judge(problems spec.Problems) spec.Problems {
	return slices.DeleteFunc(problems, func(p spec.Problem) bool { return r.unknown[root(p.Path)] || r.unknown[p.Path] })
}

// root is the field that a problem's path begins with.
func root(path string) string {
	for i, c := range path {
		if c == '[' || c == '.' {
			return path[:i]
		}
	}
	return path
}

// tags are a resource's, null when there are none and none were given before.
func tagsValue(ctx context.Context, tags map[string]string, before types.Map, diags *diag.Diagnostics) types.Map {
	if len(tags) == 0 && len(before.Elements()) == 0 && !before.IsUnknown() {
		if before.IsNull() {
			return types.MapNull(types.StringType)
		}
		return before
	}
	v, d := types.MapValueFrom(ctx, types.StringType, tags)
	diags.Append(d...)
	return v
}

// setValue is like tagsValue, for sets.
func setValue(ctx context.Context, all []string, before types.Set, diags *diag.Diagnostics) types.Set {
	if len(all) == 0 && len(before.Elements()) == 0 && !before.IsUnknown() {
		if before.IsNull() {
			return types.SetNull(types.StringType)
		}
		return before
	}
	v, d := types.SetValueFrom(ctx, types.StringType, all)
	diags.Append(d...)
	return v
}

// textOrNull is null for "".
func textOrNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// listOf is a list of objects.
func listOf[T any](ctx context.Context, object map[string]attr.Type, all []T, diags *diag.Diagnostics) types.List {
	v, d := types.ListValueFrom(ctx, types.ObjectType{AttrTypes: object}, all)
	diags.Append(d...)
	return v
}

// sizeType is an amount of memory: 2GiB and 2048MiB are the same.
type sizeType struct{ basetypes.StringType }

func (sizeType) String() string { return "sizeType" }

// ValueType implements attr.Type.
func (sizeType) ValueType(context.Context) attr.Value { return sizeValue{} }

// Equal implements attr.Type.
func (t sizeType) Equal(o attr.Type) bool {
	other, ok := o.(sizeType)
	return ok && t.StringType.Equal(other.StringType)
}

// ValueFromString implements basetypes.StringTypable.
func (sizeType) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
	return sizeValue{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t sizeType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	v, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	s, ok := v.(basetypes.StringValue)
	if !ok {
		return nil, fmt.Errorf("a size is a string, not a %T", v)
	}
	return sizeValue{s}, nil
}

// sizeValue is a value of sizeType.
type sizeValue struct{ basetypes.StringValue }

func newSize(s bytesize.Size) sizeValue { return sizeValue{types.StringValue(s.String())} }

// Type implements attr.Value.
func (sizeValue) Type(context.Context) attr.Type { return sizeType{} }

// Equal implements attr.Value.
func (v sizeValue) Equal(o attr.Value) bool {
	other, ok := o.(sizeValue)
	return ok && v.StringValue.Equal(other.StringValue)
}

// StringSemanticEquals implements basetypes.StringValuableWithSemanticEquals.
func (v sizeValue) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(sizeValue)
	return ok && v.sameAs(other), nil
}

// sameAs reports whether both are the same amount.
func (v sizeValue) sameAs(o sizeValue) bool {
	a, err1 := bytesize.Parse(v.ValueString())
	b, err2 := bytesize.Parse(o.ValueString())
	return err1 == nil && err2 == nil && a == b
}
