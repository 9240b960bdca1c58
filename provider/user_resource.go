package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *userResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m userModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, problems := m.spec(m.mode(ctx, &resp.Diagnostics))
	userAttributes.problems(&resp.Diagnostics, "Invalid user", problems)
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *userResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var state, plan, config userModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	exists := !req.State.Raw.IsNull()
	if exists {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if exists && !plan.UserName.Equal(state.UserName) {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("user_name"))
	}
	was, mode, given := state.mode(ctx, &resp.Diagnostics), plan.mode(ctx, &resp.Diagnostics), config.mode(ctx, &resp.Diagnostics)
	has := exists && was.PasswordCount.ValueInt64() > 0
	if given.Type.ValueString() == spec.ByPassword && given.PasswordsWO.IsNull() && !has {
		resp.Diagnostics.AddAttributeError(userAttributes.at("passwords"), "Invalid user",
			fmt.Sprintf("One or two passwords must be given, or type %q.", spec.NoPassword))
	}
	_, problems := config.spec(given)
	userAttributes.problems(&resp.Diagnostics, "Invalid user", problems)
	if !plan.AuthenticationMode.IsUnknown() {
		mode.PasswordCount = plannedCount(was, mode, given, exists)
		plan.setMode(ctx, mode, &resp.Diagnostics)
	}
	plan.ID = plan.UserName
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// plannedCount is how many passwords a user will have.
func plannedCount(was, mode, given modeModel, exists bool) types.Int64 {
	switch {
	case mode.Type.IsUnknown() || given.PasswordsWO.IsUnknown():
		return types.Int64Unknown()
	case mode.Type.ValueString() == spec.NoPassword:
		return types.Int64Value(0)
	case exists && !sendsPasswords(was, mode):
		return was.PasswordCount
	}
	return types.Int64Value(int64(len(given.PasswordsWO.Elements())))
}

// sendsPasswords reports whether a change of a user has his passwords in it.
func sendsPasswords(was, is modeModel) bool {
	return !is.PasswordsWOVersion.Equal(was.PasswordsWOVersion) || !is.Type.Equal(was.Type)
}

// Create implements resource.Resource.
func (r *userResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config userModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	given := config.mode(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	asked, problems := plan.spec(given)
	if len(problems) > 0 {
		userAttributes.problems(&resp.Diagnostics, "Invalid user", problems)
		return
	}
	made, adopted, err := r.remote().create(ctx, asked.Name, asked)
	if err == nil && adopted && len(asked.Passwords) > 0 {
		// Whether he has these passwords or others cannot be seen.
		without := asked
		without.Passwords = nil
		made, err = r.remote().change(ctx, asked.Name, without, asked)
	}
	if err != nil {
		userAttributes.errored(&resp.Diagnostics, "User "+asked.Name+" was not created", err)
		return
	}
	plan.fill(ctx, made, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	if err := r.rejoinACLs(ctx, asked.Name); err != nil {
		userAttributes.errored(&resp.Diagnostics, "User "+asked.Name+" is not in the ACLs that he was in", err)
	}
}

// Read implements resource.Resource.
func (r *userResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state userModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	now, err := r.Users.Get(ctx, state.ID.ValueString())
	switch {
	case isGone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		attributes{}.errored(&resp.Diagnostics, "User "+state.ID.ValueString()+" could not be read", err)
	default:
		state.fill(ctx, now, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update implements resource.Resource.
func (r *userResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan, config userModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	was, given := state.mode(ctx, &resp.Diagnostics), config.mode(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	if !sendsPasswords(was, given) {
		given.PasswordsWO = types.ListNull(types.StringType)
	}
	base, _ := state.spec(was)
	mine, problems := plan.spec(given)
	if len(problems) > 0 {
		userAttributes.problems(&resp.Diagnostics, "Invalid user", problems)
		return
	}
	now, err := r.remote().change(ctx, base.Name, base, mine)
	if err != nil {
		userAttributes.errored(&resp.Diagnostics, "User "+base.Name+" was not changed", err)
		return
	}
	mode := plan.mode(ctx, &resp.Diagnostics)
	mode.PasswordCount = known(mode.PasswordCount, types.Int64Value(int64(now.Spec.PasswordCount)))
	plan.setMode(ctx, mode, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete implements resource.Resource.
func (r *userResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state userModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() || !r.there(&resp.Diagnostics) {
		return
	}
	name := state.ID.ValueString()
	err := r.remote().remove(ctx, name, func(ctx context.Context) (*wire.Resource[wire.User], error) {
		gone, err := r.Users.Delete(ctx, name)
		if kind, _ := problemType(err); kind != wire.ProblemInUse {
			return gone, err
		}
		if err := r.leaveACLs(ctx, name); err != nil {
			return nil, err
		}
		return r.Users.Delete(ctx, name)
	})
	userAttributes.errored(&resp.Diagnostics, "User "+name+" was not deleted", err)
}

// leaveACLs takes a user out of all ACLs, as the deletion of one does in MemoryDB:
// Terraform deletes him before it changes an ACL that is to lose him.
func (r *userResource) leaveACLs(ctx context.Context, name string) error {
	acls, err := r.ACLs.List(ctx)
	if err != nil {
		return err
	}
	var left []string
	for _, a := range acls {
		if !slices.Contains(a.Spec.UserNames, name) {
			continue
		}
		without := a.Spec
		without.UserNames = slices.DeleteFunc(slices.Clone(a.Spec.UserNames), func(u string) bool { return u == name })
		if _, err := r.acls().change(ctx, a.Spec.Name, a.Spec, without); err != nil && !isGone(err) {
			return err
		}
		left = append(left, a.Spec.Name)
	}
	r.leave(name, left)
	return nil
}

// rejoinACLs puts a user back into the ACLs that he was in, when he was deleted in
// this apply: Terraform does not change an ACL because one of its users is replaced.
func (r *userResource) rejoinACLs(ctx context.Context, name string) error {
	for _, acl := range r.back(name) {
		now, err := r.ACLs.Get(ctx, acl)
		if isGone(err) {
			continue
		}
		if err != nil {
			return err
		}
		with := now.Spec
		with.UserNames = append(slices.Clone(with.UserNames), name)
		if _, err := r.acls().change(ctx, acl, now.Spec, with); err != nil {
			return err
		}
	}
	return nil
}

func (r *userResource) acls() *remote[spec.ACL, spec.ACL] {
	return (&aclResource{r.connection}).remote()
}

// ImportState implements resource.ResourceWithImportState.
func (r *userResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}
