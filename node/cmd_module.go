package node

import "github.com/redoubtdb/redoubt/node/command"

// There are no modules. MODULE answers as a redis-server does that has loaded none and
// may load none (enable-module-command no): clients ask which there are.

const errModuleOff command.Error = `ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`

func moduleRows() []*command.Command {
	refused := func(name, since string, arity int) *command.Command {
		return &command.Command{Name: name, Since: since, Arity: arity, Flags: command.Admin | command.NoScript | command.NoAsyncLoading,
			Handler: func(x *command.Ctx) { x.Error(errModuleOff) }}
	}
	return []*command.Command{{
		Name: "module", Group: "server", Since: "4.0.0", Arity: -2,
		Sub: []*command.Command{
			{Name: "list", Since: "4.0.0", Arity: 2, Flags: command.Admin | command.NoScript, Tips: []string{"nondeterministic_output_order"},
				Handler: func(x *command.Ctx) { x.Out.Array(0) }},
			refused("load", "4.0.0", -3),
			refused("loadex", "7.0.0", -3),
			refused("unload", "4.0.0", 3),
			{Name: "help", Since: "5.0.0", Arity: 2, Flags: command.Loading | command.Stale,
				Handler: func(x *command.Ctx) { x.Help(moduleHelp...) }},
		},
	}}
}

var moduleHelp = []string{
	"LIST",
	"    Return a list of loaded modules.",
	"LOAD <path> [<arg> ...]",
	"    Load a module library from <path>, passing to it any optional arguments.",
	"LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
	"    Load a module library from <path>, while passing it module configurations and optional arguments.",
	"UNLOAD <name>",
	"    Unload a module.",
}
