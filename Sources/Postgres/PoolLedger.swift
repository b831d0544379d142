import Mailbox

/// Who has which connection, and who waits for one: the pool's state, without I/O.
struct PoolLedger {
    /// What a caller gets: a connection's place in the pool.
    struct Grant: Equatable {
        let index: Int
        /// Set for a transaction, which has the connection to itself.
        let lease: UInt64?
    }

    /// A caller that waits for its grant.
    struct Waiter {
        let ticket: UInt64
        let isExclusive: Bool
        let answer: CheckedContinuation<Result<Grant, PostgresError>, Never>
    }

    private struct Slot {
        var load = 0
        var isLeased = false
    }

    let size: Int
    let maximumPending: Int
    private var slots: [Slot] = []
    private var waiters = Fifo<Waiter>()
    private var pending = 0
    private var lastNumber: UInt64 = 0
    private(set) var isClosed = false

    init(size: Int, maximumPending: Int) {
        precondition(size > 0 && maximumPending > 0, "a pool has room for one call")
        self.size = size
        self.maximumPending = maximumPending
    }

    /// Calls under way or waiting.
    var activeCalls: Int { pending }

    /// Counts a call in.
    mutating func enter() throws(PostgresError) {
        guard !isClosed else { throw PostgresError(.closed, "the pool is shut down") }
        guard pending < maximumPending else {
            throw PostgresError(.poolExhausted, "\(maximumPending) calls are waiting already")
        }
        pending += 1
    }

    /// Counts a call out.
    mutating func leave() { pending -= 1 }

    /// A number never given before.
    mutating func number() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// Grants at once, unless there is no connection or others came first.
    mutating func grant(exclusive: Bool) -> Grant? {
        guard waiters.isEmpty else { return nil }
        return choose(exclusive: exclusive)
    }

    /// The least busy connection; a new one before one that is in use.
    private mutating func choose(exclusive: Bool) -> Grant? {
        let free = slots.indices.filter { !slots[$0].isLeased }
        var index = free.min { slots[$0].load < slots[$1].load }
        if index.map({ slots[$0].load > 0 }) ?? true, slots.count < size {
            slots.append(Slot())
            index = slots.count - 1
        }
        guard let index else { return nil }
        slots[index].load += 1
        slots[index].isLeased = exclusive
        return Grant(index: index, lease: exclusive ? number() : nil)
    }

    mutating func enqueue(_ waiter: Waiter) { waiters.append(waiter) }

    /// Takes a waiter out; nil if it has been granted already.
    mutating func withdraw(_ ticket: UInt64) -> Waiter? {
        waiters.removeAll { $0.ticket == ticket }.first
    }

    /// Takes a grant back and returns who may go on now.
    mutating func release(_ grant: Grant) -> [(Waiter, Grant)] {
        slots[grant.index].load -= 1
        if grant.lease != nil { slots[grant.index].isLeased = false }
        var served: [(Waiter, Grant)] = []
        while let next = waiters.first, let grant = choose(exclusive: next.isExclusive) {
            _ = waiters.popFirst()
            served.append((next, grant))
        }
        return served
    }

    /// Refuses further calls and returns those that wait.
    mutating func close() -> [Waiter] {
        isClosed = true
        return waiters.removeAll { _ in true }
    }
}
