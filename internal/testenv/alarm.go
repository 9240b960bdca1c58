package testenv

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// alarmTimeout bounds one try at one member.
const alarmTimeout = 2 * time.Second

// RaiseNoSpace raises the alarm that a member raises when its database has
// reached its quota: from then on the whole cluster refuses to store anything,
// and still serves reads, until DisarmAlarms.
func (e *Etcd) RaiseNoSpace(ctx context.Context) error {
	return e.anyMember(ctx, "raise the NOSPACE alarm", func(ctx context.Context, cli *clientv3.Client) error {
		st, err := cli.Status(ctx, cli.Endpoints()[0])
		if err != nil {
			return err
		}
		// The client library only lists and disarms.
		_, err = pb.NewMaintenanceClient(cli.ActiveConnection()).Alarm(ctx, &pb.AlarmRequest{
			Action: pb.AlarmRequest_ACTIVATE, MemberID: st.Header.MemberId, Alarm: pb.AlarmType_NOSPACE,
		})
		return err
	})
}

// Alarms returns the alarms that are raised.
func (e *Etcd) Alarms(ctx context.Context) (raised []string, err error) {
	err = e.anyMember(ctx, "list alarms", func(ctx context.Context, cli *clientv3.Client) error {
		resp, err := cli.AlarmList(ctx)
		if err != nil {
			return err
		}
		raised = nil
		for _, a := range resp.Alarms {
			raised = append(raised, fmt.Sprintf("%s of member %x", a.Alarm, a.MemberID))
		}
		return nil
	})
	return raised, err
}

// DisarmAlarms ends all alarms.
func (e *Etcd) DisarmAlarms(ctx context.Context) error {
	return e.anyMember(ctx, "disarm alarms", func(ctx context.Context, cli *clientv3.Client) error {
		_, err := cli.AlarmDisarm(ctx, &clientv3.AlarmMember{})
		return err
	})
}

// anyMember calls fn with a client of one member after another until one
// succeeds, once each: members may be down or stand still.
func (e *Etcd) anyMember(ctx context.Context, what string, fn func(context.Context, *clientv3.Client) error) error {
	var all []error
	for i, m := range e.members {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, alarmTimeout)
			defer cancel()
			cli, err := e.dial(m.url)
			if err != nil {
				return err
			}
			defer cli.Close()
			return fn(ctx, cli)
		}()
		if err == nil {
			return nil
		}
		all = append(all, fmt.Errorf("member m%d: %w", i, err))
	}
	return fmt.Errorf("%s: %w", what, errors.Join(all...))
}
