package command

// Words of effects, kept as bytes so that recording one allocates nothing.
var (
	wordDEL       = []byte("DEL")
	wordSET       = []byte("SET")
	wordMSET      = []byte("MSET")
	wordHSET      = []byte("HSET")
	wordCOPY      = []byte("COPY")
	wordDB        = []byte("DB")
	wordREPLACE   = []byte("REPLACE")
	wordHDEL      = []byte("HDEL")
	wordSREM      = []byte("SREM")
	wordLPOP      = []byte("LPOP")
	wordRPOP      = []byte("RPOP")
	wordRPUSH     = []byte("RPUSH")
	wordLMOVE     = []byte("LMOVE")
	wordLEFT      = []byte("LEFT")
	wordRIGHT     = []byte("RIGHT")
	wordZADD      = []byte("ZADD")
	wordZREM      = []byte("ZREM")
	wordPXAT      = []byte("PXAT")
	wordPX        = []byte("PX")
	wordKEEPTTL   = []byte("KEEPTTL")
	wordPEXPIREAT = []byte("PEXPIREAT")
	wordPEXPIRE   = []byte("PEXPIRE")
	wordPERSIST   = []byte("PERSIST")
	wordRESTORE   = []byte("RESTORE")
	wordABSTTL    = []byte("ABSTTL")
	wordSETRANGE  = []byte("SETRANGE")
	wordPFADD     = []byte("PFADD")
	wordPFDEBUG   = []byte("PFDEBUG")
	wordTODENSE   = []byte("TODENSE")
	wordRENAME    = []byte("RENAME")
	wordFLUSHDB   = []byte("FLUSHDB")
	wordFLUSHALL  = []byte("FLUSHALL")

	wordXADD        = []byte("XADD")
	wordXTRIM       = []byte("XTRIM")
	wordXDEL        = []byte("XDEL")
	wordXACK        = []byte("XACK")
	wordXCLAIM      = []byte("XCLAIM")
	wordXGROUP      = []byte("XGROUP")
	wordMAXLEN      = []byte("MAXLEN")
	wordEquals      = []byte("=")
	wordCREATE      = []byte("CREATE")
	wordSETID       = []byte("SETID")
	wordMKSTREAM    = []byte("MKSTREAM")
	wordENTRIESREAD = []byte("ENTRIESREAD")
	wordTIME        = []byte("TIME")
	wordRETRYCOUNT  = []byte("RETRYCOUNT")
	wordFORCE       = []byte("FORCE")
	wordJUSTID      = []byte("JUSTID")
	wordZero        = []byte("0")
)

// The tips of rows: hints for clients of a cluster, in Redis's words.
const (
	TipNondeterministic = "nondeterministic_output"
	TipAnyOrder         = "nondeterministic_output_order"
	TipAllShards        = "request_policy:all_shards"
	TipMultiShard       = "request_policy:multi_shard"
	TipSpecial          = "request_policy:special"
	TipAllSucceeded     = "response_policy:all_succeeded"
	TipAggSum           = "response_policy:agg_sum"
	TipAggMin           = "response_policy:agg_min"
)
