package etcdpick

import (
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/resolver"
)

// policy is the name that the balancer has in gRPC.
const policy = "redoubt_answering_members"

func init() { balancer.Register(builder{}) }

// DialOptions make a client of etcd choose its members as this package does:
// clientv3.Config's field of the same name. etcd's resolver asks for gRPC's
// round_robin, which is therefore not listened to.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"` + policy + `": {}}]}`),
	}
}

type builder struct{}

func (builder) Name() string { return policy }

// Build makes the balancer of one client, which knows nothing of others'.
func (builder) Build(cc balancer.ClientConn, o balancer.BuildOptions) balancer.Balancer {
	pickers := &pickerBuilder{members: newMembers(), now: time.Now}
	return endpoints{base.NewBalancerBuilder(policy, pickers, base.Config{HealthCheck: true}).Build(cc, o)}
}

// endpoints gives the balancer below the addresses that etcd's resolver names as
// endpoints of one address each.
type endpoints struct{ balancer.Balancer }

func (e endpoints) UpdateClientConnState(s balancer.ClientConnState) error {
	if len(s.ResolverState.Addresses) == 0 {
		var addrs []resolver.Address
		for _, ep := range s.ResolverState.Endpoints {
			addrs = append(addrs, ep.Addresses...)
		}
		s.ResolverState.Addresses = addrs
	}
	return e.Balancer.UpdateClientConnState(s)
}

type pickerBuilder struct {
	members *members
	next    atomic.Uint32
	now     func() time.Time
}

func (b *pickerBuilder) Build(info base.PickerBuildInfo) balancer.Picker {
	if len(info.ReadySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	p := &picker{b: b}
	byAddr := make(map[string]balancer.SubConn, len(info.ReadySCs))
	for sc, i := range info.ReadySCs {
		byAddr[i.Address.Addr] = sc
		p.addrs = append(p.addrs, i.Address.Addr)
	}
	slices.Sort(p.addrs)
	for _, a := range p.addrs {
		p.conns = append(p.conns, byAddr[a])
	}
	return p
}

// picker chooses among the members that are connected.
type picker struct {
	b     *pickerBuilder
	addrs []string
	conns []balancer.SubConn // of the addrs
}

func (p *picker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	sent := p.b.now()
	at := p.b.members.choose(p.addrs, int(p.b.next.Add(1)%uint32(len(p.addrs))), sent)
	return balancer.PickResult{SubConn: p.conns[at], Done: func(d balancer.DoneInfo) {
		p.b.members.answered(p.addrs[at], sent, p.b.now(), d.BytesReceived, d.Err)
	}}, nil
}
