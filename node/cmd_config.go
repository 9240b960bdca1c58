package node

import (
	"strings"

	"github.com/redoubtdb/redoubt/node/command"
)

func configRows() []*command.Command {
	const help = command.Loading | command.Stale
	return []*command.Command{{
		Name: "config", Group: "server", Since: "2.0.0", Arity: -2,
		Sub: []*command.Command{
			{Name: "get", Since: "2.0.0", Arity: -3, Flags: adminAny, Handler: configGet},
			{Name: "set", Since: "2.0.0", Arity: -4, Flags: adminAny, Handler: configSet,
				Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
			{Name: "resetstat", Since: "2.0.0", Arity: 2, Flags: adminAny, Handler: configResetStat},
			{Name: "rewrite", Since: "2.8.0", Arity: 2, Flags: adminAny, Handler: configRewrite},
			{Name: "help", Since: "5.0.0", Arity: 2, Flags: help, Handler: func(x *command.Ctx) { x.Help(configHelp...) }},
		},
	}}
}

var configHelp = []string{
	"GET <pattern>",
	"    Return parameters matching the glob-like <pattern> and their values.",
	"SET <directive> <value>",
	"    Set the configuration <directive> to <value>.",
	"RESETSTAT",
	"    Reset statistics reported by the INFO command.",
	"REWRITE",
	"    Rewrite the configuration file.",
}

func configGet(x *command.Ctx) {
	c := client(x)
	var patterns []*command.Pattern
	for _, source := range x.Args[2:] {
		patterns = append(patterns, command.CompilePattern(source, true))
	}
	var found []parameter
	for _, p := range parameters {
		for _, pattern := range patterns {
			if pattern.Match([]byte(p.name)) {
				found = append(found, p)
				break
			}
		}
	}
	x.Out.Map(len(found))
	for _, p := range found {
		x.Out.BulkString(p.name)
		x.Out.BulkString(p.get(c.srv.engine, c.srv.cfg))
	}
}

// configSet sets all parameters or none: it judges them in order and puts back
// what it had changed when one is refused.
func configSet(x *command.Ctx) {
	c := client(x)
	e, s := c.srv.engine, c.srv.cfg
	pairs := x.Args[2:]
	if len(pairs)%2 != 0 {
		x.Out.Error("ERR wrong number of arguments for 'config|set' command")
		return
	}
	var chosen []parameter
	for i := 0; i < len(pairs); i += 2 {
		name := strings.ToLower(string(pairs[i]))
		p, ok := findParameter(name)
		if !ok {
			x.Out.Error("ERR Unknown option or number of arguments for CONFIG SET - '" + string(pairs[i]) + "'")
			return
		}
		if p.set == nil {
			configFailed(x, name, "can't set immutable config")
			return
		}
		for _, q := range chosen {
			if q.name == p.name {
				configFailed(x, name, "duplicate parameter")
				return
			}
		}
		chosen = append(chosen, p)
	}
	defaultUser, requirePass := e.users.def.now.Load(), e.users.requirePass
	old := make([]string, len(chosen))
	refuse := func(tried int, name string, err error) {
		for j := range tried {
			chosen[j].set(e, s, old[j])
		}
		e.users.put(defaultUser)
		e.users.requirePass = requirePass
		s.tlsStaged = nil
		configFailed(x, name, err.Error())
	}
	for i, p := range chosen {
		old[i] = p.get(e, s)
		if err := p.set(e, s, string(pairs[2*i+1])); err != nil {
			refuse(i, p.name, err)
			return
		}
	}
	if name, err := s.applyStaged(); err != nil {
		refuse(len(chosen), name, err)
		return
	}
	// New protocol limits hold for connections that exist, too.
	c.srv.each(func(c *conn) { c.newLimits.Store(true) })
	x.Out.OK()
}

func configFailed(x *command.Ctx, name, why string) {
	x.Out.Error("ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why)
}

func findParameter(name string) (parameter, bool) {
	for _, p := range parameters {
		if p.name == name {
			return p, true
		}
	}
	return parameter{}, false
}

func configResetStat(x *command.Ctx) {
	client(x).srv.engine.stats.reset()
	x.Out.OK()
}

func configRewrite(x *command.Ctx) {
	x.Out.Error("ERR The server is running without a config file")
}
