package backup

import "time"

// ErrStray and StrayLife are for tests, and so is Elapse: as if w had been elected so much
// earlier.
var ErrStray = errStray

const StrayLife = strayLife

func (w *Worker) Elapse(d time.Duration) { w.elected = w.elected.Add(-d) }
