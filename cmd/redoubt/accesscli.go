package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/spec"
	"github.com/redoubtdb/redoubt/control/wire"
)

const userAbout = `Makes a user, who may log in to clusters whose ACL names it. The access string is of
Redis's ACL rules: "on ~app:* +@read". Passwords are read from a file, one a line, one
or two of them; only SHA-256 of them is kept.`

func newUser() *cobra.Command {
	cmd := group("user", "Make, change and delete users of clusters",
		`Looks after the users who may log in to clusters. Which cluster lets in whom is said
by ACLs, see "redoubt acl". The user "default" is there always; it is everybody who has
not logged in, where the ACL is open-access.

`+exitHelp)
	r := &resourceCLI[wire.UserInput, wire.User]{
		group: "user", one: "User", many: "users", about: userAbout,
		resources: func(c *apiclient.Client) *apiclient.Resources[wire.UserInput, wire.User] { return c.Users },
		blank:     func(name string) wire.UserInput { return wire.UserInput{Name: name} },
		flags: func(f *pflag.FlagSet) {
			f.String("access-string", "", "what the user may do, as ACL rules of Redis without passwords")
			f.String("authentication", spec.ByPassword, "password or no-password-required")
			f.String("password-file", "", "file with one or two passwords, one a line; - for the standard input")
			notFields(f, "password-file")
			f.StringToString("tags", nil, "key=value, for people and programs")
		},
		also:    readPasswords,
		facts:   factsOfUse,
		example: `--access-string 'on ~app:* +@read' --password-file ./password`,
		change:  `--access-string 'on ~app:* +@all'`,
		heads:   []string{"NAME", "ACCESS STRING", "AUTHENTICATION", "PASSWORDS", "VERSION", "STATUS"},
		row: func(r *wire.Resource[wire.User]) []string {
			return []string{r.Spec.Name, r.Spec.AccessString, r.Spec.Authentication, strconv.Itoa(r.Spec.PasswordCount), strconv.FormatInt(r.Version, 10), phaseOf(r.Status)}
		},
	}
	cmd.AddCommand(r.commands()...)
	return cmd
}

// inUse is the status of what other resources name.
type inUse struct {
	Status   spec.Phase `json:"status"`
	Clusters []string   `json:"clusters"`
	ACLNames []string   `json:"acl_names"`
}

func readUse(status json.RawMessage) (s inUse) {
	_ = json.Unmarshal(status, &s) // what a newer control plane says otherwise is left out
	return s
}

func phaseOf(status json.RawMessage) string { return string(readUse(status).Status) }

// factsOfUse are what has become of a resource, and what has it.
func factsOfUse(status json.RawMessage) [][2]string {
	s := readUse(status)
	return [][2]string{
		{"status", string(s.Status)}, {"in acls", strings.Join(s.ACLNames, ", ")}, {"of clusters", strings.Join(s.Clusters, ", ")},
	}
}

// notFields says that flags are not fields.
func notFields(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = f.SetAnnotation(name, notAField, []string{}) // it exists
	}
}

func readPasswords(cmd *cobra.Command, fields map[string]any) error {
	file, err := cmd.Flags().GetString("password-file")
	if err != nil || file == "" {
		return err
	}
	var b []byte
	if file == "-" {
		b, err = io.ReadAll(cmd.InOrStdin())
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return usagef(cmd, "--password-file: %w", err)
	}
	var passwords []string
	for line := range strings.Lines(string(b)) {
		if p := strings.TrimRight(line, "\r\n"); p != "" {
			passwords = append(passwords, p)
		}
	}
	if len(passwords) == 0 {
		return usagef(cmd, "--password-file: %s has no password", file)
	}
	fields["passwords"] = passwords
	return nil
}

func newACL() *cobra.Command {
	cmd := group("acl", "Make, change and delete ACLs, which are sets of users",
		`Looks after ACLs: each is a set of users, and each cluster has one. "open-access" is
there always: it lets everybody do everything without a password.

`+exitHelp)
	r := &resourceCLI[spec.ACL, spec.ACL]{
		group: "acl", one: "ACL", many: "ACLs",
		about:     "Makes an ACL, which is a set of users that exist. A cluster that has it lets those users\nin and nobody else.",
		resources: func(c *apiclient.Client) *apiclient.Resources[spec.ACL, spec.ACL] { return c.ACLs },
		blank:     func(name string) spec.ACL { return spec.ACL{Name: name} },
		flags: func(f *pflag.FlagSet) {
			f.StringSlice("user-names", nil, "its users, all of them")
			f.StringToString("tags", nil, "key=value, for people and programs")
		},
		facts:   factsOfUse,
		example: "--user-names alice,bob", change: "--user-names alice,bob,carol",
		heads: []string{"NAME", "USERS", "VERSION", "STATUS"},
		row: func(r *wire.Resource[spec.ACL]) []string {
			return []string{r.Spec.Name, strings.Join(r.Spec.UserNames, ", "), strconv.FormatInt(r.Version, 10), phaseOf(r.Status)}
		},
	}
	cmd.AddCommand(r.commands()...)
	return cmd
}

func newParameterGroup() *cobra.Command {
	cmd := group("parameter-group", "Make, change and delete sets of settings for clusters",
		`Looks after parameter groups: each is a set of settings by their redis.conf names, for
any number of clusters. "default" is there always, and empty.

`+exitHelp)
	r := &resourceCLI[spec.ParameterGroup, spec.ParameterGroup]{
		group: "parameter-group", one: "Parameter group", many: "parameter groups",
		about: "Makes a parameter group. Nodes take most settings while they run; for those that need it\nthey are restarted, one after the other. The settings are:\n" +
			wrap(strings.Join(spec.ParameterNames(), " "), 88),
		resources: func(c *apiclient.Client) *apiclient.Resources[spec.ParameterGroup, spec.ParameterGroup] {
			return c.ParameterGroups
		},
		blank: func(name string) spec.ParameterGroup { return spec.ParameterGroup{Name: name} },
		flags: func(f *pflag.FlagSet) {
			f.StringToString("parameters", nil, "settings, as name=value; an update leaves others as they are")
			f.StringSlice("reset", nil, "names of settings to take out of it, in an update")
			notFields(f, "reset")
			f.String("description", "", "for people")
			f.StringToString("tags", nil, "key=value, for people and programs")
		},
		also:    resetParameters,
		facts:   factsOfUse,
		example: "--parameters maxclients=5000,timeout=300", change: "--parameters timeout=0 --reset maxclients",
		heads: []string{"NAME", "PARAMETERS", "VERSION", "STATUS"},
		row: func(r *wire.Resource[spec.ParameterGroup]) []string {
			var all []string
			for _, name := range sortedParameters(r.Spec.Parameters) {
				all = append(all, name+"="+r.Spec.Parameters[name])
			}
			return []string{r.Spec.Name, strings.Join(all, ", "), strconv.FormatInt(r.Version, 10), phaseOf(r.Status)}
		},
	}
	cmd.AddCommand(r.commands()...)
	return cmd
}

func sortedParameters(m map[string]string) []string {
	all := map[string]any{}
	for k := range m {
		all[k] = nil
	}
	return sortedKeys(all)
}

// resetParameters takes settings out, as null does in a PATCH.
func resetParameters(cmd *cobra.Command, fields map[string]any) error {
	reset, err := cmd.Flags().GetStringSlice("reset")
	if err != nil || len(reset) == 0 {
		return err
	}
	all := map[string]any{}
	if given, ok := fields["parameters"].(map[string]string); ok {
		for k, v := range given {
			all[k] = v
		}
	}
	for _, name := range reset {
		if _, both := all[name]; both {
			return usagef(cmd, "--reset: %s is given a value as well", name)
		}
		all[name] = nil
	}
	fields["parameters"] = all
	return nil
}

// wrap breaks a text into lines.
func wrap(text string, width int) string {
	var b strings.Builder
	at := 0
	for _, word := range strings.Fields(text) {
		switch {
		case at == 0:
		case at+1+len(word) > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		fmt.Fprint(&b, word)
		at += len(word)
	}
	return b.String()
}
