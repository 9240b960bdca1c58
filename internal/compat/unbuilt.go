package main

import (
	"regexp"
	"strings"
)

// parts are parts of Redis that Redoubt is to have, by their commands and
// subcommands ("client|tracking"). While such a command is missing, a failure that
// names it as unknown is excused; once it is built the failure counts by itself.
var parts = map[string]string{
	"eval": "scripting", "evalsha": "scripting", "eval_ro": "scripting", "evalsha_ro": "scripting", "script": "scripting",
	"function": "scripting", "fcall": "scripting", "fcall_ro": "scripting",
	"subscribe": "publish/subscribe", "psubscribe": "publish/subscribe", "ssubscribe": "publish/subscribe",
	"unsubscribe": "publish/subscribe", "punsubscribe": "publish/subscribe", "sunsubscribe": "publish/subscribe",
	"publish": "publish/subscribe", "spublish": "publish/subscribe", "pubsub": "publish/subscribe",
	"acl":     "ACL users",
	"cluster": "cluster mode", "asking": "cluster mode",
	"monitor":         "MONITOR",
	"client|tracking": "client-side caching", "client|caching": "client-side caching",
	"client|getredir": "client-side caching", "client|trackinginfo": "client-side caching",
}

func notBuilt(command string) string {
	part, ok := parts[command]
	if !ok {
		part = strings.ToUpper(strings.ReplaceAll(command, "|", " "))
	}
	return "not built yet: " + part
}

var unknownCommand = regexp.MustCompile(`(?i)unknown (?:sub)?command '([^']*)'(?:\. Try (\w+) HELP)?`)

// missing is the reason that an error says by itself, if it is one.
func (e *Excuses) missing(detail string) string {
	for _, m := range unknownCommand.FindAllStringSubmatch(detail, -1) {
		name := strings.ToLower(m[1])
		if m[2] != "" {
			name = strings.ToLower(m[2]) + "|" + name
		}
		if _, ok := parts[name]; ok && !e.has(name) {
			return notBuilt(name)
		}
	}
	return ""
}
