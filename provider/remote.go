package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/redoubtdb/redoubt/control/client"
	"github.com/redoubtdb/redoubt/control/wire"
)

const (
	// sendTimeout bounds the sending of a change, which goes on when Terraform is told
	// to stop: what was sent must be in the state.
	sendTimeout = time.Minute
	// adoptWithin is how long after its creation a resource may be taken over by an
	// apply that was to make it.
	adoptWithin = 24 * time.Hour
	// awayFor is how long the control plane may be away while it is waited for.
	awayFor = 5 * time.Minute
	// lookBack is how many operations of a resource are looked through.
	lookBack = 50
)

// remote is the control plane's resources of one kind.
type remote[In, Out any] struct {
	c     *client.Client
	kind  string
	what  string // for people
	all   *client.Resources[In, Out]
	input func(Out) In // what is there, as it would be asked for
	// incomparable are the fields of which what is there says nothing.
	incomparable []string
}

func (r *remote[In, Out]) ref(name string) string { return r.kind + "/" + name }

// sending is a context for a change: it ends some time after it began, not by a signal.
func sending(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
}

// problemType is the type of the API's answer to a request that failed, "" when it did
// not answer.
func problemType(err error) (kind, operation string) {
	if e := new(client.Error); errors.As(err, &e) {
		return e.Type, e.Operation
	}
	return "", ""
}

// unsure reports whether a change may have been made although it failed.
func unsure(err error) bool {
	kind, _ := problemType(err)
	var answered *client.Error
	return !errors.As(err, &answered) || kind == wire.ProblemUnavailable || kind == wire.ProblemInternal
}

func isGone(err error) bool {
	var e *client.NotFoundError
	return errors.As(err, &e)
}

// create makes a resource. One of the same name that is being deleted is waited for.
// adopted: it had been made already, by an apply that broke off.
func (r *remote[In, Out]) create(ctx context.Context, name string, in In) (made *wire.Resource[Out], adopted bool, err error) {
	for ctx.Err() == nil {
		made, err = r.post(ctx, in)
		kind, operation := problemType(err)
		switch {
		case err == nil:
			return made, false, nil
		case kind == wire.ProblemDeleting:
			if err := r.wait(ctx, operation); err != nil {
				return nil, false, err
			}
		case kind == wire.ProblemExists || unsure(err):
			return r.adopt(ctx, name, in, err)
		default:
			return nil, false, err
		}
	}
	return nil, false, context.Cause(ctx)
}

func (r *remote[In, Out]) post(ctx context.Context, in In) (*wire.Resource[Out], error) {
	ctx, cancel := sending(ctx)
	defer cancel()
	return r.all.Create(ctx, in)
}

// adopt takes over what an apply that broke off has made: exactly what was to be made,
// by the same token, and not changed since. why is returned if that is not so.
func (r *remote[In, Out]) adopt(ctx context.Context, name string, in In, why error) (*wire.Resource[Out], bool, error) {
	ctx, cancel := sending(ctx)
	defer cancel()
	found, err := r.all.Get(ctx, name)
	if err != nil || found.Version != 1 || found.Deleting != nil || !asked(in, r.input(found.Spec), r.incomparable...) {
		return nil, false, why
	}
	self, err := r.c.OwnToken(ctx)
	if err != nil {
		return nil, false, why
	}
	ops, err := r.c.Operations(ctx, r.ref(name), lookBack)
	if err != nil {
		return nil, false, why
	}
	for _, op := range ops {
		switch op.Kind {
		case wire.OpCreate, wire.OpRestore, wire.OpSnapshot:
			if op.Version == 1 && op.By == "token "+self.ID && !op.Started.Before(found.Created) && time.Since(op.Started) < adoptWithin {
				found.Operation = op.ID
				return found, true, nil
			}
		}
	}
	return nil, false, why
}

// change puts what differs between base and mine over what is there.
func (r *remote[In, Out]) change(ctx context.Context, name string, base, mine In) (*wire.Resource[Out], error) {
	for {
		now, err := r.all.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		next, clashes, err := merge(base, mine, r.input(now.Spec))
		if err != nil {
			return nil, err
		}
		if len(clashes) > 0 {
			return nil, &clashError{clashes}
		}
		changed, err := r.put(ctx, name, now.Version, next)
		var conflict *client.ConflictError
		switch {
		case errors.As(err, &conflict) || err != nil && unsure(err) && ctx.Err() == nil:
			// Look again: what others changed stays, and what was made needs no second time.
			if err := pause(ctx); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, err
		}
		if changed.Operation == "" {
			changed.Operation, err = r.open(ctx, name, changed.Version)
		}
		return changed, err
	}
}

func (r *remote[In, Out]) put(ctx context.Context, name string, version int64, in In) (*wire.Resource[Out], error) {
	ctx, cancel := sending(ctx)
	defer cancel()
	return r.all.Update(ctx, name, version, in)
}

// pause keeps apart attempts that follow each other.
func pause(ctx context.Context) error {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open is the newest operation that brings a resource to a version and has not ended;
// "" when there is none.
func (r *remote[In, Out]) open(ctx context.Context, name string, version int64) (string, error) {
	ops, err := r.c.Operations(ctx, r.ref(name), lookBack)
	if err != nil {
		return "", err
	}
	for _, op := range ops {
		switch op.Kind {
		case wire.OpCreate, wire.OpRestore, wire.OpUpdate, wire.OpSnapshot:
			if !op.State.Ended() && op.Version <= version {
				return op.ID, nil
			}
		}
	}
	return "", nil
}

// remove deletes a resource by send, and waits until it is gone. That it is gone is no
// error, nor that somebody else is deleting it.
func (r *remote[In, Out]) remove(ctx context.Context, name string, send func(context.Context) (*wire.Resource[Out], error)) error {
	gone, err := r.request(ctx, send)
	kind, operation := problemType(err)
	switch {
	case isGone(err):
		return nil
	case kind == wire.ProblemDeleting:
	case err != nil:
		return err
	case gone.Deleting == nil:
		return nil
	default:
		operation = gone.Operation
	}
	err = r.wait(ctx, operation)
	if err == nil {
		return nil
	}
	if _, looked := r.all.Get(ctx, name); isGone(looked) {
		return nil
	}
	return err
}

func (r *remote[In, Out]) request(ctx context.Context, send func(context.Context) (*wire.Resource[Out], error)) (*wire.Resource[Out], error) {
	ctx, cancel := sending(ctx)
	defer cancel()
	return send(ctx)
}

// waitError: an operation was not waited for to its end.
type waitError struct {
	operation string
	err       error
}

func (e *waitError) Error() string {
	return fmt.Sprintf("stopped waiting for operation %s: %v", e.operation, e.err)
}
func (e *waitError) Unwrap() error { return e.err }

// wait waits for an operation, also while the control plane is away for some time. A
// waitError says that the operation goes on, as far as is known.
func (r *remote[In, Out]) wait(ctx context.Context, operation string) error {
	var away time.Time // since when it does not answer
	for {
		began := time.Now()
		err := r.c.Wait(ctx, operation, tell(ctx))
		var failed *client.OperationError
		if err == nil || errors.As(err, &failed) || isGone(err) {
			return err
		}
		if away.IsZero() || time.Since(began) > awayFor {
			away = began
		}
		if !unsure(err) || time.Since(away) > awayFor || pause(ctx) != nil {
			return &waitError{operation, err}
		}
	}
}

// purpose is what an operation is for, for people.
type purpose string

const (
	creation     purpose = "created"
	modification purpose = "changed"
)

// finish waits for an operation, and returns what has become of the resource. When
// waiting ends early, the operation stays noted; that is a warning if it is a creation,
// as an error would make Terraform destroy what is being made.
func (r *remote[In, Out]) finish(ctx context.Context, name, operation string, p private, diags *diag.Diagnostics, why purpose) *wire.Resource[Out] {
	notePending(ctx, p, operation, diags)
	err := r.wait(ctx, operation)
	var early *waitError
	switch {
	case errors.As(err, &early):
		summary := fmt.Sprintf("%s %s is not %s yet", r.what, name, why)
		text := unfinished(ctx, r.c, early) + "\n\nThe control plane goes on with it. The next apply waits for the rest."
		if why == creation {
			diags.AddWarning(summary, text)
		} else {
			diags.AddError(summary, text)
		}
	default:
		notePending(ctx, p, "", diags)
		attributes{}.errored(diags, fmt.Sprintf("%s %s was not %s", r.what, name, why), err)
	}
	ctx, cancel := sending(ctx)
	defer cancel()
	now, err := r.all.Get(ctx, name)
	switch {
	case err == nil:
		return now
	case early == nil: // else that says enough, and an error would taint it
		attributes{}.errored(diags, fmt.Sprintf("%s %s could not be read", r.what, name), err)
	}
	return nil
}
