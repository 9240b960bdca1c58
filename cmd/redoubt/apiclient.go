package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/wire"
	"github.com/redoubtdb/redoubt/internal/dev"
	"github.com/redoubtdb/redoubt/node"
)

const defaultAPI = "https://127.0.0.1:8443"

// apiHelp ends the help of every command over the API.
const apiHelp = `The control plane is reached at --api with a token. Both, and the CA, are also read
from the environment: REDOUBT_API, REDOUBT_TOKEN and REDOUBT_API_CA. Give the token
that way: others on this machine see command lines. Without a token and a URL, the
control plane is that of a running "redoubt dev", found by its directory (--dir).`

// apiFlags say how the control plane is reached.
type apiFlags struct {
	api, token, ca string
	dir            string // of a dev
	json           *bool
	sources        *sources
}

// addAPI gives a command the flags for the API.
func addAPI(cmd *cobra.Command) *apiFlags {
	a := &apiFlags{json: addJSON(cmd)}
	set := pflag.NewFlagSet("api", pflag.ContinueOnError)
	set.StringVar(&a.api, "api", defaultAPI, "URL of the control plane")
	set.StringVar(&a.token, "token", "", "token to show to it (rdt_...)")
	set.StringVar(&a.ca, "api-ca", "", "file with the CA that its certificate is checked against (default: the system's)")
	set.StringVar(&a.dir, "dir", defaultDir, "directory of a running redoubt dev")
	a.sources = newSources(set)
	showApart(cmd, set, "Flags for how the control plane is reached:")
	cmd.Flags().AddFlagSet(set)
	cmd.Long = strings.TrimSpace(cmd.Long) + "\n\n" + apiHelp
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return a.sources.fill(cmd) }
	return a
}

// open makes a client; nothing is asked yet.
func (a *apiFlags) open(cmd *cobra.Command) (*apiclient.Client, error) {
	if err := a.findDev(cmd); err != nil {
		return nil, err
	}
	if a.token == "" {
		return nil, usagef(cmd, "a token must be given, as REDOUBT_TOKEN or --token; `redoubt token create --bootstrap` makes the first one")
	}
	var ca []byte
	if a.ca != "" {
		var err error
		if ca, err = os.ReadFile(a.ca); err != nil {
			return nil, usagef(cmd, "--api-ca: %w", err)
		}
	}
	c, err := apiclient.New(apiclient.Config{URL: a.api, Token: wire.Secret(a.token), CA: ca, UserAgent: "redoubt/" + node.Version()})
	if err != nil {
		return nil, usagef(cmd, "--api: %w", err)
	}
	return c, nil
}

// findDev fills in how the control plane of a dev is reached, unless another one is
// named. That no dev runs is an error only when its directory was given.
func (a *apiFlags) findDev(cmd *cobra.Command) error {
	from := a.sources.from
	switch named := max(from["api"], from["token"]); {
	case named == fromDefault || from["dir"] > named:
	case from["dir"] == named && named == fromFlag:
		return usagef(cmd, "--dir means a redoubt dev, --api and --token mean another control plane: give one or the other")
	default:
		return nil
	}
	e, err := dev.ReadEndpoints(a.dir)
	switch {
	case errors.Is(err, dev.ErrNotRunning) && from["dir"] == fromDefault:
		return nil
	case err != nil:
		return err
	case e.API == nil:
		return fmt.Errorf("the redoubt dev on %s has no control plane: it was started with --api-port 0", a.dir)
	}
	b, err := os.ReadFile(e.API.TokenFile)
	if err != nil {
		return fmt.Errorf("token of redoubt dev: %w", err)
	}
	a.api, a.ca, a.token = e.API.URL, e.API.CAFile, strings.TrimSpace(string(b))
	return nil
}

// withAPI is the RunE of a command over the API.
func withAPI(a *apiFlags, run func(*cobra.Command, *apiclient.Client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.open(cmd)
		if err != nil {
			return err
		}
		defer c.Close()
		return explain(run(cmd, c, args))
	}
}

// explain adds what to do about it.
func explain(err error) error {
	var conflict *apiclient.ConflictError
	var answered *apiclient.Error
	switch {
	case errors.As(err, &conflict):
		return fmt.Errorf("%w.\nSomebody else changed it at the same time: look at it and try again", err)
	case errors.As(err, &answered) && answered.Type == wire.ProblemInternal:
		return fmt.Errorf("%w (%s)", err, answered.Instance)
	}
	return err
}

// waiting is the flags of commands whose work goes on after they have been answered.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func addWait(cmd *cobra.Command) *waiting {
	w := &waiting{}
	cmd.Flags().BoolVar(&w.wait, "wait", false, "wait until it is done")
	cmd.Flags().DurationVar(&w.timeout, "timeout", time.Hour, "how long to wait")
	return w
}

// follow waits for an operation, if that was asked for, and tells how far it is.
func (w *waiting) follow(cmd *cobra.Command, c *apiclient.Client, operation string) error {
	if !w.wait || operation == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), w.timeout, fmt.Errorf("not within %v", w.timeout))
	defer cancel()
	p := newProgress(cmd.ErrOrStderr(), "waiting")
	defer p.done()
	return c.Wait(ctx, operation, func(o wire.Operation) { p.set("%s", operationText(o)) })
}

// operationText is how far an operation is, in a line.
func operationText(o wire.Operation) string {
	text := fmt.Sprintf("%s of %s is %s", o.Kind, o.Resource, o.State)
	if o.Progress.Total > 0 {
		text += fmt.Sprintf(", step %d of %d", o.Progress.Done, o.Progress.Total)
	}
	if o.Progress.Text != "" {
		text += ": " + o.Progress.Text
	}
	return text
}

// said tells a person what has been asked for or done.
func (w *waiting) said(out io.Writer, what, asked, done, operation string) error {
	var err error
	switch {
	case operation == "":
		_, err = fmt.Fprintf(out, "%s is like that already.\n", what)
	case w.wait:
		_, err = fmt.Fprintf(out, "%s %s.\n", what, done)
	default:
		_, err = fmt.Fprintf(out, "%s %s: `redoubt operation wait %s`\n", what, asked, operation)
	}
	return err
}
