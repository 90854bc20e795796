package healthwatch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/internal/testdrill"
)

// TestSimulatedNodesAreDownIfAndOnlyIfDead has nodes lose 1 % of their
// heartbeats, pause up to 20 s now and then, and die now and then.
func TestSimulatedNodesAreDownIfAndOnlyIfDead(t *testing.T) {
	s := newSimulation(t, 0)
	for i := 0; i < len(s.nodes)/100; i++ {
		s.at(s.below(s.lasts), func() { s.kill(s.nodes[100*i]) })
	}
	s.run()
	s.report()
	s.wantDown()
	testdrill.Say(t, "%s: %d dead nodes were found, after %s at most (limit %s)", testdrill.Verdict(s.found <= simFound && s.downs > 0), s.downs, s.found.Round(time.Millisecond), simFound)
	if s.found > simFound || s.downs == 0 {
		t.Errorf("%d found, after %s at most", s.downs, s.found)
	}
}

// massFailure cuts off 60 % of the nodes after a minute, and keeps them so for a
// while; the brake holds for a third of the time.
func massFailure(t *testing.T, back time.Duration) (s *simulation, held time.Duration) {
	t.Helper()
	_, lasts := simSize(t)
	held = lasts / 3
	s = newSimulation(t, held)
	setCut := func(since time.Duration) {
		for i, n := range s.nodes {
			if i%5 < 3 {
				n.cut = since
			}
		}
	}
	s.at(time.Minute, func() { setCut(time.Minute) })
	s.at(back, func() { setCut(0) })
	s.run()
	s.report()
	testdrill.Say(t, "      %d of them paused for so long when the others failed that they were down before too many had", s.earlier)
	if !strings.Contains(s.log.String(), "level=ERROR msg=\"brake: too many nodes fail at once") {
		t.Errorf("no alarm: %s", s.log.String())
	}
	return s, held
}

func TestSimulatedMassFailureIsHeldAndEnds(t *testing.T) {
	_, lasts := simSize(t)
	s, held := massFailure(t, 2*lasts)
	s.wantDown()
	after := s.firstDown - time.Minute
	testdrill.Say(t, "%s: 60 %% failed at once: the first was down %s later (limit: the %s that the brake holds, and %s)", testdrill.Verdict(after >= held && after <= held+simFound), after, held, simFound)
	if s.downs != len(s.nodes)*3/5 || s.watch.Stats().Brakes != 1 {
		t.Errorf("%d were down after %d brakes, want 60 %% after 1", s.downs, s.watch.Stats().Brakes)
	}
	if after < held || after > held+simFound {
		t.Errorf("the first was down after %s", after)
	}
}

func TestSimulatedMassFailureThatPassesTurnsNobodyDown(t *testing.T) {
	_, lasts := simSize(t)
	s, held := massFailure(t, time.Minute+lasts/4)
	testdrill.Say(t, "%s: 60 %% failed at once and were back after %s of the %s that the brake holds: %d down by that (limit 0)", testdrill.Verdict(s.downs == s.earlier), lasts/4, held, s.downs-s.earlier)
	if got := s.watch.Stats(); s.downs != s.earlier || s.earlier > len(s.nodes)/100 || got.Brakes != 1 || got.Braked || got.Nodes[healthwatch.Up] < int64(len(s.nodes)*95/100) {
		t.Errorf("%d were down, stats %+v", s.downs, got)
	}
}

func TestSimulatedAbsenceOfTheRegistryTurnsNobodyDown(t *testing.T) {
	s := newSimulation(t, 0)
	from := 100 * time.Second
	s.gap = func() time.Duration {
		if s.now >= from && s.now < from+simTick {
			return time.Minute
		}
		return simTick
	}
	s.run()
	s.report()
	if got := s.watch.Stats(); got.Absences != 1 || !strings.Contains(s.log.String(), "this process was away") {
		t.Errorf("%d absences, log %s", got.Absences, s.log.String())
	}
}

// Every other look comes 1.5 s late: little time counts, and that is enough.
func TestSimulatedStarvedRegistryStillFindsTheDead(t *testing.T) {
	s := newSimulation(t, 0)
	looks := 0
	s.gap = func() time.Duration {
		if looks++; looks%2 == 0 {
			return 1500 * time.Millisecond
		}
		return simTick
	}
	s.at(time.Minute, func() {
		for i := 0; i < len(s.nodes)/100; i++ {
			s.kill(s.nodes[100*i])
		}
	})
	s.run()
	s.report()
	s.wantDown()
	testdrill.Say(t, "%s: a registry that was awake for %s of %s found %d dead nodes after %s of that at most (limit %s)", testdrill.Verdict(s.found <= simFound), s.awake, s.lasts, s.downs, s.found, simFound)
	if s.downs != len(s.nodes)/100 || s.found > simFound {
		t.Errorf("%d dead nodes were found, after %s at most", s.downs, s.found)
	}
}
