package node

import (
	"fmt"
	"strings"
)

// From where on MEMORY DOCTOR finds something worth telling.
const (
	doctorLeast   = 16 << 20  // bytes: less is no problem, whatever the ratio
	doctorClients = 200 << 10 // bytes a client, on average, as in Redis
)

// diagnose is the text of MEMORY DOCTOR.
func (r *memoryReport) diagnose() string {
	var found []string
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	most := func(n uint64, of int64) bool { return of > 0 && n > uint64(of)/10*8 }
	if r.peak > r.heap/2*3 && r.peak-r.heap > doctorLeast {
		add("Peak: the heap once held %s, now it is %s. What was freed is given back to the system little by little; MEMORY PURGE does it at once.", human(r.peak), human(r.heap))
	}
	if most(r.rss, r.system) {
		add("Size: the process has %s of the %s that it may use. A larger machine, or CONFIG SET maxmemory, keeps it from being killed.", human(r.rss), human(uint64(r.system)))
	}
	if free := r.resident - r.active; free > r.heap/2 && free > doctorLeast {
		add("Free spans: %s are held for what is to come. MEMORY PURGE gives them back to the system.", human(free))
	}
	if gaps := r.active - r.heap; gaps > r.heap/4 && gaps > doctorLeast {
		add("Fragmentation: %s lie between objects, most likely since values of other sizes were deleted. New ones of these sizes fill them.", human(gaps))
	}
	if per := r.clients / max(1, int64(r.conns)); per > doctorClients {
		add("Clients: they hold %s each on average. CLIENT LIST says who (tot-mem); maxmemory-clients bounds them all.", human(uint64(per)))
	}
	if garbage := int64(r.heap) - r.dataset - r.overhead(); garbage > r.dataset+doctorLeast {
		add("Garbage: about %s of the heap is neither data nor of clients. With much less data than that it is normal: the next collection frees it.", human(uint64(garbage)))
	}
	if len(found) == 0 {
		return fmt.Sprintf("Nothing found: %d keys in %s of a heap of %s.\n", r.keys, human(uint64(r.dataset)), human(r.heap))
	}
	return strings.Join(found, "\n") + "\n"
}
