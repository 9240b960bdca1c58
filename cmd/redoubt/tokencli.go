package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	apiclient "github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/token"
	"github.com/redoubtdb/redoubt/control/wire"
)

func newToken() *cobra.Command {
	cmd := group("token", "Make, list and revoke tokens for the control plane",
		`Looks after the tokens that the control plane lets in. A token has a role: read may look
at everything but tokens, operate may change everything but tokens, admin may do all.
etcd has SHA-256 of tokens only.

`+exitHelp)
	cmd.AddCommand(newTokenCreate(), newTokenList(), newTokenRevoke())
	return cmd
}

func newTokenCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create", Short: "Make a token",
		Long: `Makes a token and prints it, this once: it cannot be shown again.

The first one is made by --bootstrap, which needs no token but etcd: whoever may write
there may do everything anyway. It also helps when the last token of role admin was
lost.

` + exitHelp,
		Example: "  redoubt token create --bootstrap --etcd http://10.0.1.5:2379\n" +
			"  redoubt token create --role operate --description terraform --expires-in 720h", Args: noArgs,
	}
	role := cmd.Flags().String("role", "", "read, operate or admin (with --bootstrap: admin)")
	description := cmd.Flags().String("description", "", "what it is for")
	expiresIn := cmd.Flags().Duration("expires-in", 0, "for how long it is valid (default: until it is revoked)")
	bootstrap := cmd.Flags().Bool("bootstrap", false, "write it to etcd directly")
	var conn connection
	etcd := etcdFlags(&conn)
	cmd.Flags().AddFlagSet(etcd)
	a := addAPI(cmd)
	fromEnv := newSources(etcd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n := wire.NewToken{Role: wire.Role(*role), Description: *description}
		if *expiresIn != 0 {
			n.Expires = time.Now().Add(*expiresIn).UTC().Truncate(time.Second)
		}
		if !*bootstrap {
			if n.Role == "" {
				return usagef(cmd, "--role must be given: read, operate or admin")
			}
			return withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
				made, err := c.CreateToken(cmd.Context(), n)
				return errors.Join(err, printToken(cmd.OutOrStdout(), made, *a.json, err))
			})(cmd, args)
		}
		if err := fromEnv.fill(cmd); err != nil {
			return err
		}
		if n.Role == "" {
			n.Role = wire.Admin
		}
		made, err := bootstrapToken(cmd, &conn, n)
		return errors.Join(err, printToken(cmd.OutOrStdout(), made, *a.json, err))
	}
	return cmd
}

// etcdFlags are those of a connection's flags that say how etcd is reached.
func etcdFlags(conn *connection) *pflag.FlagSet {
	all := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	conn.addFlags(all)
	etcd := pflag.NewFlagSet("etcd", pflag.ContinueOnError)
	for _, name := range []string{"etcd", "etcd-ca", "etcd-cert", "etcd-key"} {
		etcd.AddFlag(all.Lookup(name))
	}
	return etcd
}

// bootstrapToken makes a token in etcd itself.
func bootstrapToken(cmd *cobra.Command, conn *connection, n wire.NewToken) (made *wire.CreatedToken, err error) {
	if len(conn.etcd) == 0 {
		return nil, usagef(cmd, "--bootstrap needs --etcd")
	}
	if err := conn.check(cmd); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), reachTimeout, fmt.Errorf("no answer within %v", reachTimeout))
	defer cancel()
	cli, err := conn.dialEtcd(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeEtcd(cli)) }()
	return token.Open(cli).Create(ctx, "redoubt token create --bootstrap", n)
}

func printToken(w io.Writer, made *wire.CreatedToken, asJSON bool, failed error) error {
	switch {
	case failed != nil:
		return nil
	case asJSON:
		return printJSON(w, made)
	}
	_, err := fmt.Fprintln(w, string(made.Secret))
	return err
}

func newTokenList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List tokens, the oldest first",
		Long: `Lists tokens, the oldest first, by their ids, which tokens have between rdt_ and the
next underscore. The tokens themselves are known to nobody but their owners.

` + exitHelp,
		Example: "  redoubt token ls", Args: noArgs,
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
		all, err := c.Tokens(cmd.Context())
		if err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), all)
		}
		rows := [][]string{{"ID", "ROLE", "CREATED", "EXPIRES", "BY", "DESCRIPTION"}}
		for _, t := range all {
			rows = append(rows, []string{t.ID, string(t.Role), stamp(t.Created), stamp(t.Expires), t.CreatedBy, t.Description})
		}
		return table(cmd.OutOrStdout(), rows)
	})
	return cmd
}

func newTokenRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a token",
		Long: `Revokes a token, by its id: it has no effect from then on, at any of the control planes.
"redoubt token ls" lists the ids.

` + exitHelp,
		Example: "  redoubt token revoke q7ldm3x2zk4c", Args: oneArg("token's id"),
	}
	a := addAPI(cmd)
	cmd.RunE = withAPI(a, func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		if err := c.RevokeToken(cmd.Context(), args[0]); err != nil {
			return err
		}
		if *a.json {
			return printJSON(cmd.OutOrStdout(), map[string]string{"revoked": args[0]})
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "Token %s is revoked.\n", args[0])
		return err
	})
	return cmd
}
