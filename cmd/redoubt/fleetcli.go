package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/fleet"
	"github.com/redoubtdb/redoubt/control/wire"
)

func newHost() *cobra.Command {
	cmd := group("host", "List hosts, and move nodes away from them",
		`Looks after the hosts that nodes run on. A host is known for as long as its agent
("redoubt agent") is heard of.

`+exitHelp)
	cmd.AddCommand(newHostList(), newHostShow(), newHostDrain(true), newHostDrain(false))
	return cmd
}

func newHostList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the hosts whose agents are registered",
		Long: `Lists the hosts whose agents are heard of now, by id in order: where they are, what
their nodes may use in all, and which engines they have.

` + exitHelp,
		Example: "  redoubt host ls\n  redoubt host ls --json", Args: noArgs,
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		all, err := c.Hosts(cmd.Context())
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), all)
		}
		rows := [][]string{{"HOST", "AZ", "ADDRESS", "MEMORY", "PORTS", "ENGINES", "UP FOR", "STATE"}}
		for _, h := range all {
			rows = append(rows, []string{h.ID, h.AZ, h.Address, h.Memory.Human(), fmt.Sprintf("%d-%d", h.FirstPort, h.LastPort),
				strings.Join(h.Engines, ", "), span(time.Since(h.Started)), hostState(h)})
		}
		return table(cmd.OutOrStdout(), rows)
	})
	return cmd
}

func hostState(h fleet.Host) string {
	if h.Draining {
		return "draining"
	}
	return "ready"
}

func newHostShow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show HOST", Short: "Show a host",
		Long: `Shows what the agent of a host says of it, and whether nodes are being moved away
from it. --json prints it as the API has it.

` + exitHelp,
		Example: "  redoubt host show host-a1", Args: oneArg("host"),
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		h, err := c.Host(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), h)
		}
		return printHost(cmd.OutOrStdout(), h)
	})
	return cmd
}

func printHost(w io.Writer, h *fleet.Host) error {
	return details(w, [][2]string{
		{"host", h.ID}, {"zone", h.AZ}, {"address", h.Address}, {"memory", h.Memory.Human()},
		{"ports", fmt.Sprintf("%d-%d", h.FirstPort, h.LastPort)}, {"engines", strings.Join(h.Engines, ", ")},
		{"agent", h.Agent}, {"started", stamp(h.Started)}, {"state", hostState(*h)},
	})
}

func newHostDrain(drain bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "drain HOST", Short: "Move all nodes away from a host",
		Long: `Asks for all nodes of a host to be moved away, and for none to be placed there.
Primaries are handed over, and a node ends when another has been made elsewhere. It
stays so until "redoubt host undrain".

` + exitHelp,
		Example: "  redoubt host drain host-a1", Args: oneArg("host"),
	}
	if !drain {
		cmd.Use, cmd.Short, cmd.Example = "undrain HOST", "Let nodes be placed on a host again", "  redoubt host undrain host-a1"
		cmd.Long = `Takes back "redoubt host drain": nodes may be placed on the host again. Those that were
moved away do not come back by themselves.

` + exitHelp
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		h, err := c.Drain(cmd.Context(), args[0], drain)
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), h)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Host %s is %s.\n", h.ID, hostState(*h))
		return err
	})
	return cmd
}

func newOperation() *cobra.Command {
	cmd := group("operation", "List and wait for operations, which carry out changes",
		`Looks after operations: each change that somebody asks for is carried out by one, whose
state is pending, running, done or failed.

`+exitHelp)
	cmd.AddCommand(newOperationList(), newOperationWait())
	return cmd
}

// addAbout gives a command the flags that choose what a list is about.
func addAbout(cmd *cobra.Command) (resource *string, most *int) {
	resource = cmd.Flags().String("resource", "", "only those of one resource, such as clusters/main")
	most = cmd.Flags().Int("limit", 50, "how many, the newest; 0: all")
	return resource, most
}

func newOperationList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List operations, the newest first",
		Long: `Lists operations, the newest first: what is being carried out, how far it is, and why
it failed if it did. Of those that have ended the newest 1,000 are kept.

` + exitHelp,
		Example: "  redoubt operation ls\n  redoubt operation ls --resource clusters/main", Args: noArgs,
	}
	resource, most := addAbout(cmd)
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		all, err := c.Operations(cmd.Context(), *resource, *most)
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), all)
		}
		rows := [][]string{{"OPERATION", "KIND", "RESOURCE", "VERSION", "STATE", "STARTED", "TEXT"}}
		for _, o := range all {
			text := o.Progress.Text
			if o.Error != "" {
				text = o.Error
			}
			rows = append(rows, []string{o.ID, string(o.Kind), o.Resource, strconv.FormatInt(o.Version, 10), string(o.State), stamp(o.Started), text})
		}
		return table(cmd.OutOrStdout(), rows)
	})
	return cmd
}

func newOperationWait() *cobra.Command {
	cmd := &cobra.Command{
		Use: "wait OPERATION", Short: "Wait until an operation has ended",
		Long: `Waits until an operation is done; if it fails, so does this command, and says why. The
answer to each change names its operation.

` + exitHelp,
		Example: "  redoubt operation wait 019372ab-12cd-7e3f-9a01-b2c45f3e9a01 --timeout 10m", Args: oneArg("operation"),
	}
	w := &waiting{wait: true}
	cmd.Flags().DurationVar(&w.timeout, "timeout", time.Hour, "how long to wait")
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		if err := w.follow(cmd, c, args[0]); err != nil {
			return err
		}
		o, err := c.Operation(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), o)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s.\n", operationText(*o))
		return err
	})
	return cmd
}

func newEvent() *cobra.Command {
	cmd := group("event", "List what happened",
		`Lists events: what was asked for by whom, and what the control plane has done and met
with.

`+exitHelp)
	ls := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List events, the newest last",
		Long: `Lists events, the newest last, so that it is what a terminal shows. The newest 10,000
are kept. --json has the newest first.

` + exitHelp,
		Example: "  redoubt event ls\n  redoubt event ls --resource clusters/main --limit 10", Args: noArgs,
	}
	resource, most := addAbout(ls)
	a := addAPI(ls)
	ls.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		all, err := c.Events(cmd.Context(), *resource, *most)
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), all)
		}
		return printEvents(cmd.OutOrStdout(), all)
	})
	cmd.AddCommand(ls)
	return cmd
}

func printEvents(w io.Writer, all []wire.Event) error {
	rows := [][]string{{"TIME", "RESOURCE", "TYPE", "REASON", "MESSAGE"}}
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
		rows = append(rows, []string{stamp(e.Time), e.Resource, string(e.Type), e.Reason, e.Message})
	}
	return table(w, rows)
}
