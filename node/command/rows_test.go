package command_test

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
	"github.com/redoubtdb/redoubt/node/command"
	"github.com/redoubtdb/redoubt/node/command/commandtest"
)

func TestRowsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	commandtest.CompareRows(t, redis.Addr, command.Data())
	commandtest.CompareRows(t, redis.Addr, command.Introspection(nil))
}
