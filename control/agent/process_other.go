//go:build !linux

package agent

// selfProgram: there is no way to a program but its path.
const selfProgram = ""

// openProcess: there are no handles here; a process is watched by its lock.
func openProcess(int, *birth) handle { return nil }

func birthOf(int) birth { return birth{} }

// lockHolder cannot be told here.
func lockHolder(string) int { return 0 }
