package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// userResource is redoubt_user.
type userResource struct{ connection }

type userModel struct {
	ID                 types.String `tfsdk:"id"`
	UserName           types.String `tfsdk:"user_name"`
	AccessString       types.String `tfsdk:"access_string"`
	AuthenticationMode types.List   `tfsdk:"authentication_mode"`
	Tags               types.Map    `tfsdk:"tags"`
}

// modeModel is the one block authentication_mode.
type modeModel struct {
	Type               types.String `tfsdk:"type"`
	PasswordsWO        types.List   `tfsdk:"passwords_wo"`
	PasswordsWOVersion types.Int64  `tfsdk:"passwords_wo_version"`
	PasswordCount      types.Int64  `tfsdk:"password_count"`
}

var modeObject = map[string]attr.Type{
	"type": types.StringType, "passwords_wo": types.ListType{ElemType: types.StringType},
	"passwords_wo_version": types.Int64Type, "password_count": types.Int64Type,
}

// Metadata implements resource.Resource.
func (r *userResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "redoubt_user"
}

// Schema implements resource.Resource.
func (r *userResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	version := path.MatchRelative().AtParent().AtName("passwords_wo_version")
	resp.Schema = schema.Schema{
		MarkdownDescription: "A user, who may log in to the clusters whose ACL has him. Passwords are write-only: " +
			"they are in no plan and in no state (Terraform 1.11 or later), and the control plane keeps SHA-256 of them. " +
			"A user who is deleted is taken out of the ACLs that have him.",
		Attributes: map[string]schema.Attribute{
			"id": idAttribute(),
			"user_name": schema.StringAttribute{Required: true,
				MarkdownDescription: "Name of the user: at most 40 lowercase letters, digits and hyphens, the first a letter. Cannot be changed in place."},
			"access_string": schema.StringAttribute{Required: true,
				MarkdownDescription: "What he may do, by Redis's ACL rules without passwords, such as `on ~app:* +@read`."},
			"tags": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Tags."},
		},
		Blocks: map[string]schema.Block{"authentication_mode": schema.ListNestedBlock{
			MarkdownDescription: "How he logs in.",
			Validators:          []validator.List{listvalidator.IsRequired(), listvalidator.SizeAtMost(1)},
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"type": schema.StringAttribute{Required: true,
					MarkdownDescription: "`" + spec.ByPassword + "` or `" + spec.NoPassword + "`."},
				"passwords_wo": schema.ListAttribute{Optional: true, WriteOnly: true, Sensitive: true, ElementType: types.StringType,
					MarkdownDescription: fmt.Sprintf("One or two passwords of 16 to 128 bytes, each of which lets him in; two, so that they can be changed without an outage. "+
						"Needed at creation by type `%s`. They are sent when `passwords_wo_version` changes.", spec.ByPassword),
					Validators: []validator.List{listvalidator.AlsoRequires(version)}},
				"passwords_wo_version": schema.Int64Attribute{Optional: true,
					MarkdownDescription: "A number that you change with the passwords: Terraform cannot see that they have changed."},
				"password_count": schema.Int64Attribute{Computed: true, MarkdownDescription: "How many passwords he has."},
			}},
		}},
	}
}

// mode is the block, the zero value when it is not known.
func (m *userModel) mode(ctx context.Context, diags *diag.Diagnostics) modeModel {
	var all []modeModel
	if !m.AuthenticationMode.IsNull() && !m.AuthenticationMode.IsUnknown() {
		diags.Append(m.AuthenticationMode.ElementsAs(ctx, &all, false)...)
	}
	if len(all) != 1 {
		return modeModel{Type: types.StringUnknown(), PasswordsWO: types.ListUnknown(types.StringType)}
	}
	return all[0]
}

func (m *userModel) setMode(ctx context.Context, mode modeModel, diags *diag.Diagnostics) {
	mode.PasswordsWO = types.ListNull(types.StringType)
	m.AuthenticationMode = listOf(ctx, modeObject, []modeModel{mode}, diags)
}

var userAttributes = attributes{
	renamed: map[string]path.Path{
		"name":           path.Root("user_name"),
		"authentication": path.Root("authentication_mode").AtListIndex(0).AtName("type"),
		"passwords":      path.Root("authentication_mode").AtListIndex(0).AtName("passwords_wo"),
	},
	maps: map[string]bool{"tags": true},
}

// spec is the user that is asked for. With passwords (from the configuration, mode)
// they are part of it; else those that he has stay.
func (m *userModel) spec(mode modeModel) (wire.UserInput, spec.Problems) {
	r := newReader()
	in := wire.UserInput{
		Name: r.text("name", m.UserName), AccessString: r.text("access_string", m.AccessString),
		Authentication: r.text("authentication", mode.Type), Tags: r.mapping("tags", m.Tags),
	}
	u := spec.User{Name: in.Name, AccessString: in.AccessString, Authentication: in.Authentication, Tags: in.Tags}
	var problems spec.Problems
	for i, p := range r.texts("passwords", mode.PasswordsWO) {
		if err := spec.CheckPassword(p); err != nil {
			problems = append(problems, spec.Problem{Path: fmt.Sprintf("passwords[%d]", i), Message: err.Error()})
		}
		sum := sha256.Sum256([]byte(p))
		in.Passwords = append(in.Passwords, wire.Secret(p))
		u.PasswordHashes = append(u.PasswordHashes, hex.EncodeToString(sum[:]))
	}
	if r.unknown["authentication"] {
		r.unknown["passwords"] = true // whether they are needed is not known
	}
	if mode.PasswordsWO.IsNull() && in.Authentication != spec.NoPassword {
		r.unknown["passwords"] = true // he keeps those that he has; ModifyPlan knows if he has
	}
	u.Default()
	if len(in.Tags) == 0 {
		in.Tags = nil
	}
	return in, append(r.judge(problems), r.judge(u.Validate())...)
}

func (m *userModel) fill(ctx context.Context, r *wire.Resource[wire.User], diags *diag.Diagnostics) {
	mode := m.mode(ctx, diags)
	mode.Type = types.StringValue(r.Spec.Authentication)
	mode.PasswordCount = types.Int64Value(int64(r.Spec.PasswordCount))
	m.ID, m.UserName = types.StringValue(r.Spec.Name), types.StringValue(r.Spec.Name)
	m.AccessString = types.StringValue(r.Spec.AccessString)
	m.Tags = tagsValue(ctx, r.Spec.Tags, m.Tags, diags)
	m.setMode(ctx, mode, diags)
}

func (r *userResource) remote() *remote[wire.UserInput, wire.User] {
	return &remote[wire.UserInput, wire.User]{
		c: r.Client, kind: wire.Users, what: "User", all: r.Users, incomparable: []string{"passwords"},
		input: func(u wire.User) wire.UserInput {
			return wire.UserInput{Name: u.Name, AccessString: u.AccessString, Authentication: u.Authentication, Tags: u.Tags}
		},
	}
}
