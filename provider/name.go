package provider

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// defaultPrefix begins names of which nothing was said.
const defaultPrefix = "terraform-"

// stamp is how a generated name ends: when it was made, and chance.
var stamp = regexp.MustCompile(`^(.*)\d{18}[0-9a-f]{8}$`)

// generateName is prefix and 26 digits that no other name has.
func generateName(prefix string, now time.Time) string {
	var chance [4]byte
	_, _ = rand.Read(chance[:]) // never fails
	t := now.UTC()
	return prefix + t.Format("20060102150405") + t.Format(".0000")[1:] + hex.EncodeToString(chance[:])
}

// prefixOf is the prefix that a name was generated from, null if it was not.
func prefixOf(name string) types.String {
	if m := stamp.FindStringSubmatch(name); m != nil {
		return types.StringValue(m[1])
	}
	return types.StringNull()
}

// nameFor is the name of a new resource.
func nameFor(name, prefix types.String) string {
	switch {
	case !name.IsNull() && !name.IsUnknown():
		return name.ValueString()
	case !prefix.IsNull() && !prefix.IsUnknown():
		return generateName(prefix.ValueString(), time.Now())
	}
	return generateName(defaultPrefix, time.Now())
}

// plannedName is a name to judge before there is one; field is which attribute it is
// that problems of the name are about.
func plannedName(r *reader, name, prefix types.String) (text, field string) {
	if !name.IsNull() && !name.IsUnknown() {
		return name.ValueString(), "name"
	}
	if r.known("name_prefix", prefix) {
		return prefix.ValueString() + "00000000000000000000000000", "name_prefix"
	}
	if name.IsUnknown() {
		r.unknown["name"] = true
	}
	return defaultPrefix + "00000000000000000000000000", "name"
}

// nameAttributes are id, name and name_prefix of a resource.
func nameAttributes(what string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": idAttribute(),
		"name": schema.StringAttribute{Optional: true, Computed: true,
			MarkdownDescription: "Name of the " + what + ": at most 40 lowercase letters, digits and hyphens, the first a letter. " +
				"Without it and `name_prefix`, one is made. Cannot be changed in place.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			Validators:    []validator.String{stringvalidator.ConflictsWith(path.MatchRoot("name_prefix")), stringvalidator.LengthAtLeast(1)}},
		"name_prefix": schema.StringAttribute{Validators: notEmpty, Optional: true, Computed: true,
			MarkdownDescription: "What a name that is made begins with, 14 characters at most. Not together with `name`. Cannot be changed in place.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
	}
}

func idAttribute() schema.Attribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: "The name.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}}
}

// renamedBy are the attributes of a name by which a resource must be replaced.
func renamedBy(state, plan, config names) path.Paths {
	var paths path.Paths
	if !config.Name.IsNull() && !plan.Name.Equal(state.Name) {
		paths = append(paths, path.Root("name"))
	}
	if !config.NamePrefix.IsNull() && !plan.NamePrefix.Equal(state.NamePrefix) {
		paths = append(paths, path.Root("name_prefix"))
	}
	return paths
}

// names are those of a resource.
type names struct {
	ID         types.String `tfsdk:"id"`
	Name       types.String `tfsdk:"name"`
	NamePrefix types.String `tfsdk:"name_prefix"`
}

func (n *names) fill(name string) {
	n.ID, n.Name = types.StringValue(name), types.StringValue(name)
	if n.NamePrefix.IsUnknown() || n.NamePrefix.IsNull() {
		n.NamePrefix = prefixOf(name)
	}
}

// generate makes the name of a new resource if there is none.
func (n *names) generate() string {
	n.Name = types.StringValue(nameFor(n.Name, n.NamePrefix))
	return n.Name.ValueString()
}
