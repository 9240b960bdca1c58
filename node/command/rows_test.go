package command_test

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestRowsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	rows := command.Data()
	for _, r := range rows {
		if r.Name == "zrank" || r.Name == "zrevrank" {
			r.Arity = 3 // without WITHSCORE, which came with 7.2
		}
	}
	commandtest.CompareRows(t, redis.Addr, rows)
	commandtest.CompareRows(t, redis.Addr, command.Introspection(nil))
}
