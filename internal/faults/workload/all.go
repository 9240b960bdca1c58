package workload

// All is every workload, for one round.
func All(env *Env) []Workload {
	return []Workload{
		NewProbe(env), NewQuiet(env), NewRegisters(env), NewCounters(env), NewHashes(env), NewQueues(env), NewSets(env),
		NewSortedSets(env), NewStreams(env), NewBank(env), NewMixed(env), NewLedger(env), NewPrefix(env), NewExpiry(env),
	}
}
