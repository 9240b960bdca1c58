package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/wire"
)

// resourceCLI is the commands of one kind of resource. Its flags are named as its
// fields in JSON, with hyphens.
type resourceCLI[In, Out any] struct {
	group, one, many string
	about            string // what such a resource is
	resources        func(*apiclient.Client) *apiclient.Resources[In, Out]
	blank            func(name string) In
	flags            func(*pflag.FlagSet) // for create and update
	createFlags      func(*pflag.FlagSet) // for create only; nil: none
	// also adds what no flag has as it is; nil: nothing.
	also    func(cmd *cobra.Command, fields map[string]any) error
	example string // of create's flags
	change  string // of update's flags
	// slow: the control plane goes on working after it has answered.
	slow bool
	// zero tells people what 0 means, by field.
	zero  map[string]string
	heads []string
	row   func(*wire.Resource[Out]) []string
	facts func(status json.RawMessage) [][2]string // shown with the spec; nil: none
	show  func(io.Writer, *wire.Resource[Out]) error
}

func (r *resourceCLI[In, Out]) commands() []*cobra.Command {
	return []*cobra.Command{r.list(), r.get(), r.create(), r.update(), r.delete()}
}

func (r *resourceCLI[In, Out]) path() string { return "redoubt " + r.group }

// help is a help text about the kind.
func (r *resourceCLI[In, Out]) help(format string) string {
	return wrap(fmt.Sprintf(format, r.many), 88) + "\n\n" + exitHelp
}

func (r *resourceCLI[In, Out]) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List " + r.many,
		Long:    r.help("Lists all %s, by name in order. --json prints them as the API has them, one list of resources with their versions, specs and statuses."),
		Example: fmt.Sprintf("  %s ls\n  %s ls --json | jq -r '.[].spec.name'", r.path(), r.path()),
		Args:    noArgs,
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		all, err := r.resources(c).List(cmd.Context())
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), all)
		}
		rows := [][]string{r.heads}
		for i := range all {
			rows = append(rows, r.row(&all[i]))
		}
		return table(cmd.OutOrStdout(), rows)
	})
	return cmd
}

func (r *resourceCLI[In, Out]) get() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show one of the " + r.many,
		Long:    r.help("Shows all of one of the %s: what was asked for, what has become of it, and which version it is at. --json prints it as the API has it."),
		Example: fmt.Sprintf("  %s show main\n  %s show main --json", r.path(), r.path()),
		Args:    oneArg("name"),
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		found, err := r.resources(c).Get(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), found)
		}
		return r.print(cmd.OutOrStdout(), found)
	})
	return cmd
}

func (r *resourceCLI[In, Out]) create() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make one of the " + r.many,
		Long:    strings.TrimSpace(r.about) + "\n\nWhat is left out has its default, which the answer shows.\n\n" + exitHelp,
		Example: fmt.Sprintf("  %s create main %s", r.path(), r.example),
		Args:    oneArg("name"),
	}
	cmd.Flags().SortFlags = false
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	r.flags(own)
	if r.createFlags != nil {
		r.createFlags(own)
	}
	cmd.Flags().AddFlagSet(own)
	w := r.addWait(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		fields, err := r.fields(cmd, own)
		if err != nil {
			return err
		}
		in := r.blank(args[0])
		b, err := json.Marshal(fields)
		if err == nil {
			err = json.Unmarshal(b, &in)
		}
		if err != nil {
			return usagef(cmd, "%w", err)
		}
		made, err := r.resources(c).Create(cmd.Context(), in)
		if err != nil {
			return err
		}
		return r.changed(cmd, c, a, w, args[0], made, "is being made", "is there")
	})
	return cmd
}

func (r *resourceCLI[In, Out]) update() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME", Short: "Change one of the " + r.many + " in place",
		Long:    r.help("Changes what the flags name of one of the %s; all else stays. When somebody else changes it at the same time, one of the two is refused and nothing is lost."),
		Example: fmt.Sprintf("  %s update main %s", r.path(), r.change),
		Args:    oneArg("name"),
	}
	cmd.Flags().SortFlags = false
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	r.flags(own)
	cmd.Flags().AddFlagSet(own)
	w := r.addWait(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		fields, err := r.fields(cmd, own)
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			return usagef(cmd, "nothing is to be changed: give at least one flag")
		}
		now, err := r.resources(c).Get(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		next, err := r.resources(c).Patch(cmd.Context(), args[0], now.Version, fields)
		if err != nil {
			return err
		}
		return r.changed(cmd, c, a, w, args[0], next, "is being changed", "has been changed")
	})
	return cmd
}

func (r *resourceCLI[In, Out]) delete() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"}, Short: "Delete one of the " + r.many,
		Long:    r.help("Deletes one of the %s. What others refer to is not deleted: the error says who does. There is no question: give the name with care."),
		Example: fmt.Sprintf("  %s delete main", r.path()),
		Args:    oneArg("name"),
	}
	w := r.addWait(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		gone, err := r.resources(c).Delete(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return r.changed(cmd, c, a, w, args[0], gone, "is being deleted", "is gone")
	})
	return cmd
}

// addWait gives --wait to kinds that are slow; others are done when they answer.
func (r *resourceCLI[In, Out]) addWait(cmd *cobra.Command) *waiting {
	if !r.slow {
		return &waiting{wait: true, timeout: time.Minute}
	}
	return addWait(cmd)
}

// changed waits for a change, if that was asked for, and prints what has become.
func (r *resourceCLI[In, Out]) changed(cmd *cobra.Command, c *apiclient.Client, a *apiFlags, w *waiting, name string, now *wire.Resource[Out], asked, done string) error {
	if err := w.follow(cmd, c, now.Operation); err != nil {
		return err
	}
	if *a.json {
		return printJSON(cmd.OutOrStdout(), now)
	}
	return w.said(cmd.OutOrStdout(), r.one+" "+name, asked, done, now.Operation)
}

// fields are what the flags that were given say, by the fields' names in JSON.
func (r *resourceCLI[In, Out]) fields(cmd *cobra.Command, own *pflag.FlagSet) (map[string]any, error) {
	fields := map[string]any{}
	var wrong error
	own.VisitAll(func(f *pflag.Flag) {
		if !cmd.Flags().Changed(f.Name) || f.Annotations[notAField] != nil {
			return
		}
		v, err := flagValue(own, f)
		if err != nil && wrong == nil {
			wrong = usagef(cmd, "--%s: %w", f.Name, err)
		}
		fields[strings.ReplaceAll(f.Name, "-", "_")] = v
	})
	if wrong == nil && r.also != nil {
		wrong = r.also(cmd, fields)
	}
	return fields, wrong
}

// notAField marks flags that also looks at.
const notAField = "not a field"

// flagValue is a flag's value as it is in JSON.
func flagValue(set *pflag.FlagSet, f *pflag.Flag) (any, error) {
	switch f.Value.Type() {
	case "int":
		return strconv.Atoi(f.Value.String())
	case "bool":
		return strconv.ParseBool(f.Value.String())
	case "stringSlice":
		return set.GetStringSlice(f.Name)
	case "stringToString":
		return set.GetStringToString(f.Name)
	}
	return f.Value.String(), nil
}

// print shows a resource to a person.
func (r *resourceCLI[In, Out]) print(w io.Writer, found *wire.Resource[Out]) error {
	b, err := json.Marshal(found.Spec)
	if err != nil {
		return err
	}
	var spec map[string]any
	if err := json.Unmarshal(b, &spec); err != nil {
		return err
	}
	rows := [][2]string{{"name", fmt.Sprint(spec["name"])}}
	for _, name := range sortedKeys(spec) {
		if name == "name" {
			continue
		}
		value := plainValue(spec[name])
		if said := r.zero[name]; said != "" && value == "0" {
			value = said
		}
		rows = append(rows, [2]string{strings.ReplaceAll(name, "_", " "), value})
	}
	if r.facts != nil {
		rows = append(rows, r.facts(found.Status)...)
	}
	rows = append(rows, [2]string{"version", strconv.FormatInt(found.Version, 10)},
		[2]string{"created", stamp(found.Created)}, [2]string{"changed", stamp(found.Updated)})
	if d := found.Deleting; d != nil {
		rows = append(rows, [2]string{"deleting", "since " + stamp(d.Requested) + ", operation " + d.Operation})
	}
	if err := details(w, rows); err != nil || r.show == nil {
		return err
	}
	return r.show(w, found)
}

// plainValue is a value of JSON without its marks.
func plainValue(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = plainValue(e)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for k, e := range v {
			parts = append(parts, k+"="+plainValue(e))
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}
