package provider

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

// attributes finds the attribute that a problem is about.
type attributes struct {
	renamed map[string]path.Path // fields that are not a root attribute of the same name
	sets    map[string][]string  // the elements of fields that are sets, as problems count them
	maps    map[string]bool      // fields that are maps
}

// at is the attribute of a problem's path: name, name[2] or name.key.
func (a attributes) at(problem string) path.Path {
	end := strings.IndexAny(problem, "[.")
	if end < 0 {
		end = len(problem)
	}
	name, rest := problem[:end], problem[end:]
	p, ok := a.renamed[name]
	if !ok {
		p = path.Root(name)
	}
	switch {
	case rest == "":
	case rest[0] == '.' && a.maps[name]:
		return p.AtMapKey(rest[1:])
	case rest[0] == '[':
		i, err := strconv.Atoi(strings.Trim(rest, "[]"))
		set, isSet := a.sets[name]
		switch {
		case err != nil || isSet && i >= len(set):
		case isSet:
			return p.AtSetValue(types.StringValue(set[i]))
		default:
			return p.AtListIndex(i)
		}
	}
	return p
}

// problems reports what is wrong with fields, each at its attribute.
func (a attributes) problems(diags *diag.Diagnostics, summary string, problems []spec.Problem) {
	for _, p := range problems {
		message := p.Message
		if _, rest, ok := strings.Cut(p.Path, "."); ok {
			message = rest + ": " + message
		}
		diags.AddAttributeError(a.at(p.Path), summary, sentence(message))
	}
}

// errored reports an error.
func (a attributes) errored(diags *diag.Diagnostics, summary string, err error) {
	var (
		invalid  *client.InvalidError
		clash    *clashError
		answered *client.Error
		waiting  *waitError
	)
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		a.problems(diags, summary, invalid.Fields)
	case errors.As(err, &clash):
		for _, f := range clash.fields {
			diags.AddAttributeError(a.at(f), summary, "Somebody else has changed this since the plan was made. Plan again to see what it is now.")
		}
	case errors.As(err, &waiting):
		diags.AddError(summary, sentence(err.Error())+" The control plane goes on with it, and the next apply waits for the rest.")
	case errors.As(err, &answered):
		diags.AddError(summary, sentence(answered.Detail)+hint(answered))
	default:
		diags.AddError(summary, sentence(err.Error()))
	}
}

// hint is what to do about an answer.
func hint(e *client.Error) string {
	switch e.Type {
	case wire.ProblemUnauthenticated:
		return fmt.Sprintf(" The token is in the variable %s or in the provider block.", envToken)
	case wire.ProblemExists:
		return " If it is to be Terraform's from now on, import it: terraform import <address> <name>."
	case wire.ProblemInUse:
		return " Terraform deletes before it changes what refers to it: apply that change first, without the deletion; " +
			"or, when it is replaced, have the new one made first, by lifecycle { create_before_destroy = true } and another name."
	case wire.ProblemInternal:
		return fmt.Sprintf(" The request is %s.", e.Instance)
	}
	return ""
}

// sentence begins with a capital letter, unless the first word is a name, and ends
// with a full stop.
func sentence(text string) string {
	if text == "" {
		return text
	}
	first, _, _ := strings.Cut(text, " ")
	if strings.Trim(first, "abcdefghijklmnopqrstuvwxyz,") == "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// tell logs how far an operation is.
func tell(ctx context.Context) func(wire.Operation) {
	return func(op wire.Operation) {
		tflog.Info(ctx, "operation "+string(op.State), map[string]any{
			"operation": op.ID, "kind": op.Kind, "resource": op.Resource,
			"done": op.Progress.Done, "total": op.Progress.Total, "text": op.Progress.Text,
		})
	}
}

// unfinished is what is known about an operation that was not waited for to its end.
func unfinished(ctx context.Context, c *client.Client, w *waitError) string {
	ctx, cancel := sending(ctx)
	defer cancel()
	op, err := c.Operation(ctx, w.operation)
	if err != nil {
		return sentence(w.Error())
	}
	text := fmt.Sprintf("Operation %s is %s", op.ID, op.State)
	if op.Progress.Total > 0 {
		text += fmt.Sprintf(" at step %d of %d", op.Progress.Done, op.Progress.Total)
	}
	if op.Progress.Text != "" {
		text += ": " + op.Progress.Text
	}
	text = sentence(text)
	events, err := c.Events(ctx, op.Resource, 5)
	if err != nil {
		return text
	}
	for _, e := range events {
		if e.Type == wire.Warning {
			text += fmt.Sprintf("\n%s %s: %s", e.Time.Format("15:04:05"), e.Reason, e.Message)
		}
	}
	return text
}
