import JobModel

/// What the fetcher has for the lanes, what it has asked for, and who waits.
struct Stock {
    /// Why a lane that waited goes on.
    enum Wake {
        /// It was chosen: it counts as waking until it has looked.
        case chosen
        /// Something came before it had begun to wait.
        case early
        case end
    }

    typealias Lane = CheckedContinuation<Wake, Never>

    /// What a lane that asks is told.
    enum Answer {
        case delivery(Delivery, wake: Lane?, runsLow: Bool)
        case end(wake: Lane?)
        case wait
    }

    /// How much to have for the lanes.
    struct Target {
        /// The most that one reserve asks for.
        let batch: Int
        /// How many beyond what lanes take at once, those on their way included.
        let ahead: Int
        /// Whether the next batch is asked for before the last has come.
        let isFar: Bool

        /// More is asked for when so many are left.
        var lowWater: Int { max(ahead / 2, ahead - batch) }
    }

    var queues: [QueueName]
    var areQueuesNew = true
    /// Lanes that end instead of taking their next delivery.
    var departures = 0
    /// The next one last.
    var ready: [Delivery] = []
    var idle: [Lane] = []
    /// Every list was found empty, and no waiter has brought anything since.
    var areListsEmpty = false
    var isQuiet = false
    var isDraining = false
    /// Lanes that were woken and have not looked yet.
    private var wakingCount = 0
    /// The reserves under way, and how many deliveries they have asked for.
    private var reserves = 0
    private var requested = 0
    private var maximumReserves = 1
    /// The last reserve brought all that it asked for: there is more.
    private var isPlenty = false
    private var lowWater = 0

    init(queues: [QueueName]) { self.queues = queues }

    var isStopping: Bool { isDraining || isQuiet }

    /// Nothing is asked for and nothing is waited for: every lane has enough to do, or is to have
    /// nothing.
    var isAtRest: Bool { reserves == 0 && (!areListsEmpty || isStopping) }

    /// How many lanes would take a delivery now.
    private var freeCount: Int { idle.count + wakingCount }

    /// How many there are for lanes, those included that are asked for.
    private var supply: Int { ready.count + requested }

    /// Whether one more reserve may be sent, if there are lanes for what it brings.
    private var mayReserve: Bool {
        !areListsEmpty && !isStopping && reserves < (isPlenty ? maximumReserves : 1)
    }

    // MARK: Reserves

    /// How many deliveries to ask for now, from here on under way; nil when it is not the time.
    mutating func claim(_ target: Target) -> Int? {
        lowWater = target.lowWater
        maximumReserves = target.isFar ? 2 : 1
        guard mayReserve, supply <= lowWater || supply < freeCount else { return nil }
        let count = min(target.batch, freeCount + target.ahead - supply)
        guard count > 0 else { return nil }
        reserves += 1
        requested += count
        return count
    }

    /// A reserve that asked for `count` has brought so many; nil when it failed.
    mutating func ended(asking count: Int, bringing brought: Int?) {
        reserves -= 1
        requested -= count
        isPlenty = brought == count
        if let brought { areListsEmpty = brought == 0 }
    }

    /// Takes in deliveries; returns the lane to wake, and what is more than `ahead` allows.
    mutating func keep(_ deliveries: [Delivery], ahead: Int) -> (lane: Lane?, surplus: [Delivery]) {
        guard !isStopping else { return (nil, deliveries) }
        let kept = deliveries.prefix(max(0, freeCount + ahead - ready.count))
        ready.insert(contentsOf: kept.reversed(), at: 0)
        return (laneToWake(), Array(deliveries.dropFirst(kept.count)))
    }

    // MARK: Lanes

    /// What the lane is told that asks after `wake`.
    mutating func answer(_ wake: Wake) -> Answer {
        if case .chosen = wake { wakingCount -= 1 }
        if isDraining { return .end(wake: nil) }
        if departures > 0 {
            departures -= 1
            // What it was woken for is another's now.
            return .end(wake: laneToWake())
        }
        guard let delivery = ready.popLast() else { return .wait }
        return .delivery(
            delivery, wake: laneToWake(), runsLow: supply == lowWater && mayReserve)
    }

    /// Whether a lane that asks would be given a delivery.
    var hasDelivery: Bool { !ready.isEmpty && !isDraining && departures == 0 }

    /// Whether a lane that asks would have to wait.
    var hasNothing: Bool { ready.isEmpty && !isDraining && departures == 0 }

    /// The lane to wake, if one more is needed.
    ///
    /// One at a time, and each wakes the next: lanes whose bodies never wait empty the stock before
    /// the next one has woken, and lanes whose bodies do wait are soon all at work.
    private mutating func laneToWake() -> Lane? {
        guard !ready.isEmpty, wakingCount == 0, let lane = idle.popLast() else { return nil }
        wakingCount = 1
        return lane
    }
}
