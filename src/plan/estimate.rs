//! When each workload starts and finishes: a fluid simulation, event by event.
//!
//! Work is admitted in order: at most one workload a host, so many hosts at once, so many readers
//! a resource; whoever was admitted keeps his place. What is admitted shares the resources by
//! progressive filling (max-min fairness: Bertsekas and Gallager, Data Networks, 6.5.2): strictly
//! by level, max-min inside a level.
//!
//! **Invariants.** No resource carries more than its rate; the bytes of a job are exactly what its
//! rates add up to; a job with something of rate zero on its way never finishes and delays nobody.

/// Something of limited rate that jobs pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Bytes per second.
    pub rate: f64,
    /// Jobs that may pass at once.
    pub readers: Option<u32>,
}

/// Work to be done: bytes through several capacities.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Bytes to move.
    pub bytes: f64,
    /// What it is worth when all of it has moved.
    pub value: f64,
    /// The host it is on; one job of a host at a time.
    pub host: usize,
    /// What it passes, by index; never empty, no index twice.
    pub passes: Vec<usize>,
}

/// A place in the order of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Index of the job.
    pub job: usize,
    /// Neighbours of one level share; never less than that of the step before.
    pub level: u32,
}

/// When a job moves, in seconds from the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// First byte.
    pub start: f64,
    /// Last byte.
    pub finish: f64,
}

/// A span of time in which every rate stays as it is.
#[derive(Debug)]
pub struct Interval<'a> {
    /// Its length in seconds.
    pub length: f64,
    /// Index of a job in work, and its rate.
    pub rates: &'a [(usize, f64)],
}

/// When each step moves, in the order of `steps`; `None`: never.
pub fn flows(
    jobs: &[Job],
    capacities: &[Capacity],
    steps: &[Step],
    hosts_at_once: usize,
) -> Vec<Option<Flow>> {
    flows_observed(jobs, capacities, steps, hosts_at_once, &mut |_| {})
}

/// The same, showing every interval to `observe`.
pub fn flows_observed(
    jobs: &[Job],
    capacities: &[Capacity],
    steps: &[Step],
    hosts_at_once: usize,
    observe: &mut dyn FnMut(&Interval<'_>),
) -> Vec<Option<Flow>> {
    let mut simulation = Simulation::new(jobs, capacities, steps, hosts_at_once);
    simulation.run(observe);
    simulation.flows
}

/// A job in work.
struct Active {
    /// Its place in the order.
    place: usize,
    job: usize,
    level: u32,
    left: f64,
    start: Option<f64>,
}

struct Simulation<'a> {
    jobs: &'a [Job],
    capacities: &'a [Capacity],
    steps: &'a [Step],
    hosts_at_once: usize,
    now: f64,
    /// Places not yet admitted, in order.
    waiting: Vec<usize>,
    /// In order.
    active: Vec<Active>,
    host_busy: Vec<bool>,
    readers: Vec<u32>,
    flows: Vec<Option<Flow>>,
}

impl<'a> Simulation<'a> {
    fn new(
        jobs: &'a [Job],
        capacities: &'a [Capacity],
        steps: &'a [Step],
        hosts_at_once: usize,
    ) -> Self {
        let hosts = jobs.iter().map(|job| job.host + 1).max().unwrap_or(0);
        let passable =
            |job: &Job| job.passes.iter().all(|index| capacities[*index].rate > f64::EPSILON);
        let mut flows = vec![None; steps.len()];
        let mut waiting = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            if jobs[step.job].bytes <= 0.0 {
                flows[place] = Some(Flow { start: 0.0, finish: 0.0 });
            } else if passable(&jobs[step.job]) {
                waiting.push(place);
            }
        }
        Self {
            jobs,
            capacities,
            steps,
            hosts_at_once: hosts_at_once.max(1),
            now: 0.0,
            waiting,
            active: Vec::new(),
            host_busy: vec![false; hosts],
            readers: vec![0; capacities.len()],
            flows,
        }
    }

    fn run(&mut self, observe: &mut dyn FnMut(&Interval<'_>)) {
        loop {
            self.admit();
            let rates = rates(&self.active, self.jobs, self.capacities);
            let times =
                self.active.iter().zip(&rates).map(|(active, (_, rate))| active.left / rate);
            let Some(length) = times.min_by(f64::total_cmp) else { break };
            observe(&Interval { length, rates: &rates });
            self.advance(length, &rates);
        }
    }

    fn admit(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|place| {
            let step = self.steps[*place];
            let job = &self.jobs[step.job];
            let is_full = |index: &usize| {
                self.capacities[*index]
                    .readers
                    .is_some_and(|max| self.readers[*index] >= max.max(1))
            };
            if self.active.len() >= self.hosts_at_once
                || self.host_busy[job.host]
                || job.passes.iter().any(is_full)
            {
                return true;
            }
            self.host_busy[job.host] = true;
            job.passes.iter().for_each(|index| self.readers[*index] += 1);
            let active = Active {
                place: *place,
                job: step.job,
                level: step.level,
                left: job.bytes,
                start: None,
            };
            let at = self.active.partition_point(|other| other.place < *place);
            self.active.insert(at, active);
            false
        });
        self.waiting = waiting;
    }

    /// Lets `length` pass; at least one job finishes.
    fn advance(&mut self, length: f64, rates: &[(usize, f64)]) {
        let from = self.now;
        self.now += length;
        let mut still = Vec::with_capacity(self.active.len());
        for (mut active, (_, rate)) in std::mem::take(&mut self.active).into_iter().zip(rates) {
            if *rate > 0.0 {
                active.start.get_or_insert(from);
            }
            if active.left <= rate * length * (1.0 + 1e-12) {
                let start = active.start.unwrap_or(from);
                self.flows[active.place] = Some(Flow { start, finish: self.now });
                let job = &self.jobs[active.job];
                self.host_busy[job.host] = false;
                job.passes.iter().for_each(|index| self.readers[*index] -= 1);
            } else {
                active.left -= rate * length;
                still.push(active);
            }
        }
        self.active = still;
    }
}

/// Progressive filling: the index of each active job, with its rate.
fn rates(active: &[Active], jobs: &[Job], capacities: &[Capacity]) -> Vec<(usize, f64)> {
    let mut left: Vec<f64> = capacities.iter().map(|capacity| capacity.rate).collect();
    let mut sharers = vec![0_u32; capacities.len()];
    let mut rates: Vec<_> = active.iter().map(|active| (active.job, 0.0)).collect();
    let mut from = 0;
    for group in active.chunk_by(|a, b| a.level == b.level) {
        let rates = &mut rates[from..from + group.len()];
        from += group.len();
        let mut open: Vec<usize> = (0..group.len()).collect();
        while !open.is_empty() {
            for index in open.iter().flat_map(|at| &jobs[rates[*at].0].passes) {
                sharers[*index] += 1;
            }
            let share = |index: &usize| left[*index].max(0.0) / f64::from(sharers[*index]);
            let least =
                |at: usize| jobs[rates[at].0].passes.iter().map(share).fold(f64::MAX, f64::min);
            let shares: Vec<_> = open.iter().map(|at| least(*at)).collect();
            let smallest = shares.iter().copied().fold(f64::MAX, f64::min);
            let is_fixed = |share: f64| share <= smallest * (1.0 + 1e-12);
            for index in open.iter().flat_map(|at| &jobs[rates[*at].0].passes) {
                sharers[*index] = 0;
            }
            let fixed = open.iter().zip(&shares).filter(|(_, share)| is_fixed(**share));
            for (at, _) in fixed {
                rates[*at].1 = smallest;
                jobs[rates[*at].0].passes.iter().for_each(|index| left[*index] -= smallest);
            }
            let open_next = open.iter().zip(&shares).filter(|(_, share)| !is_fixed(**share));
            open = open_next.map(|(at, _)| *at).collect();
        }
    }
    // What rounding leaves of a full resource is nothing.
    for (job, rate) in &mut rates {
        let scale = jobs[*job].passes.iter().map(|index| capacities[*index].rate);
        if *rate < scale.fold(f64::MAX, f64::min) * 1e-9 {
            *rate = 0.0;
        }
    }
    rates
}
