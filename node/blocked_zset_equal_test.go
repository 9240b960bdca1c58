package node

import (
	"testing"

	"github.com/redoubtdb/redoubt/internal/testenv"
)

// TestBlockingZSetsEqualRedis is TestBlockingEqualsRedis for sorted sets.
func TestBlockingZSetsEqualRedis(t *testing.T) {
	redis := testenv.StartRedis(t)
	n := startNode(t, nil)
	play(t, n.Addr(), redis.Addr, map[string]string{
		"who waits longest": `
			1! bzpopmin k 0
			2! bzpopmax k 0
			3! bzmpop 0 1 k max count 2
			4> zadd k 1 a 2 b 3 c
			1<
			2<
			3<
			4> exists k
			1! bzpopmin k 0
			2! bzpopmax k 0
			4> zadd k 1 a 2 b 3 c 4 d
			1<
			2<
			4> zrange k 0 -1 withscores`,
		"several keys": `
			1! bzpopmin a b a 0
			2! bzmpop 0 2 b c min
			4> zadd b 1 x
			1<
			4> zadd a 2 y
			4> zadd c -inf z
			2<
			4> zrange a 0 -1`,
		"what is there is taken at once": `
			4> zadd k 1 a 2 b 3 c 4 d 5.5 e 1e300 f
			1> bzpopmin nokey k 0
			1> bzpopmax k nokey 0
			1> bzmpop 0 2 nokey k min count 2
			1> bzmpop 0 1 k MAX
			1> bzmpop 0 1 k min count 9
			1> exists k`,
		"time": `
			1? bzpopmin k 0.05
			2? bzpopmax k l 0.05
			3? bzmpop 0.05 2 k l min
			1<
			2<
			3<
			4> zadd k 1 a
			4> zcard k`,
		"bad arguments": `
			1> bzpopmin k -1
			1> bzpopmin k -0.01
			1> bzpopmax k x
			1> bzpopmax k ""
			1> bzpopmin k nan
			1> bzpopmin k
			1> bzmpop x 1 k min
			1> bzmpop -1 1 k min
			1> bzmpop x 0 k min
			1> bzmpop 0 0 k min
			1> bzmpop 0 x k min
			1> bzmpop 0 1 k left
			1> bzmpop 0 1 k min count 0
			1> bzmpop 0 1 k min count
			1> bzmpop 0 1 k min count 1 count 1
			1> bzmpop 0 1 k
			1> bzmpop 0 2 k min`,
		"transactions do not block": `
			1> multi
			1> bzpopmin k 0
			1> bzpopmax k 0
			1> bzmpop 0 1 k min
			1> exec
			1> multi
			1> zadd k 1 a
			1> bzpopmin k 0
			1> bzpopmin k x
			1> exec`,
		"transactions are one step": `
			1! bzpopmin k 0
			4> multi
			4> zadd k 2 a
			4> zadd k 1 b
			4> zadd k 3 c
			4> zrem k b
			4> exec
			1<
			4> del k
			1! bzpopmin k 0
			4> multi
			4> zadd k 1 a
			4> del k
			4> exec
			4> multi
			4> del k
			4> zadd k 1 d 2 e
			4> zremrangebyrank k 0 0
			4> exec
			1<
			4> exists k`,
		"several keys in a transaction": `
			1! bzpopmin a b 0
			2! bzpopmax a b 0
			3! bzmpop 0 1 b min count 5
			4> multi
			4> zadd b 1 x 2 y 3 z
			4> zincrby b 5 x
			4> exec
			1<
			2<
			3<
			4> exists a b c`,
		"other types": `
			1! bzpopmin k 0
			2! blpop k 0
			3! bzmpop 0 1 k max
			4> set k v
			4> del k
			4> sadd k a
			4> del k
			4> rpush k a
			2<
			4> zadd k 1 a 2 b
			1<
			3<
			4> set k v
			1> bzpopmin nokey k 0
			1> bzpopmax k nokey 0
			1> bzmpop 0 2 nokey k min
			4> zadd z 1 a
			1> bzpopmin z k 0`,
		"other ways to make a sorted set": `
			1! bzpopmin k 0
			4> zadd other 1 a 2 b
			4> rename other k
			1<
			4> rename k other
			1! bzpopmax k 0
			4> copy other k
			1<
			1! bzpopmin k 0
			4> zunionstore k 1 other weights 3
			1<
			1! bzpopmin k 0
			4> zrangestore k other 0 -1
			1<
			1! bzpopmin k 0
			4> geoadd k 1 2 here
			1<
			1! bzpopmin k 0
			4> zincrby k 2.5 a
			1<
			1! bzpopmin k 0
			4> select 1
			4> zadd k 1 z
			4> move k 0
			1<
			1! bzpopmin k 0
			4> zadd k 1 zz
			4> swapdb 0 1
			1<
			4> swapdb 0 1
			4> select 0`,
		"unblock": `
			1! bzpopmin k 0
			2! bzmpop 0 1 k min
			4> client unblock {1} error
			1<
			4> client unblock {2} timeout
			2<
			4> zadd k 1 a
			4> zcard k`,
		"resp3": `
			1> hello 3
			1? bzpopmin k 0.01
			1<
			1! bzpopmin k 0
			4> zadd k 1.5 a 2 b 3 c inf d
			1<
			1! bzmpop 0 1 l max count 2
			4> zadd l 1.5 a 2 b 3 c inf d
			1<
			1> bzpopmax k 0
			1> bzmpop 0 1 k min count 2
			1> bzmpop 0.01 1 k min
			1> multi
			1> bzpopmin k 0
			1> bzmpop 0 1 k min
			1> exec`,
		"databases": `
			1> select 2
			1! bzpopmin k 0
			4> zadd k 1 a
			4> select 2
			4> zadd k 2 b
			1<
			4> zcard k`,
	})
}
