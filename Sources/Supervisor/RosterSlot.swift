/// One process of a supervisor, as far as its keeping needs to know.
struct RosterChild {
    /// Never the same twice within one supervisor.
    let id: Int
    let startedAt: Duration
    /// When it last reported; its start until then.
    var heardAt: Duration
    var readyAt: Duration?
    var stalledSince: Duration?
    var report: ProcessReport?
    /// When it is killed, once it was told to stop.
    var killAt: Duration?
    var isKilled = false

    init(id: Int, at now: Duration) {
        self.id = id
        startedAt = now
        heardAt = now
    }

    var isReady: Bool { readyAt != nil && killAt == nil }

    mutating func heard(_ report: ProcessReport, at now: Duration) {
        heardAt = now
        self.report = report
        if report.isReady, readyAt == nil { readyAt = now }
        stalledSince = report.isProgressing ? nil : stalledSince ?? now
    }
}

/// One of the places 1…N of a supervisor: who has it, and who takes it over.
struct RosterSlot {
    let number: Int
    var current: RosterChild?
    /// A fresh process that takes the place once it is ready.
    var successor: RosterChild?
    /// Processes that were told to stop and have not ended.
    var retiring: [RosterChild] = []
    /// Ends in a row without health between them.
    var failures = 0
    /// When the next process is started, while there is none.
    var startAt: Duration?
    /// Replacements that ended before they were ready.
    var failedTries = 0
    /// When the next replacement is tried.
    var replaceAt: Duration?

    /// Whether the successor has taken the place, and only the old one's end is waited for.
    var isPromoted = false

    init(number: Int) { self.number = number }

    var children: [RosterChild] {
        [current, successor].compactMap { $0 } + retiring
    }

    /// Gives the place to the successor; the old process is to stop, and is killed at `killAt`.
    mutating func promote(killAt: Duration) {
        if var old = current {
            old.killAt = killAt
            retiring.append(old)
        }
        current = successor
        successor = nil
        isPromoted = true
    }

    /// The next replacement begins from nothing.
    mutating func forgetReplacement() {
        isPromoted = false
        failedTries = 0
        replaceAt = nil
    }

    /// Calls `change` with the child of that id; false when it is not here.
    @discardableResult
    mutating func change(_ id: Int, _ change: (inout RosterChild) -> Void) -> Bool {
        if var child = current, child.id == id {
            change(&child)
            current = child
            return true
        }
        if var child = successor, child.id == id {
            change(&child)
            successor = child
            return true
        }
        guard let index = retiring.firstIndex(where: { $0.id == id }) else { return false }
        change(&retiring[index])
        return true
    }

    /// Takes the child of that id out, and says what it was.
    mutating func remove(_ id: Int) -> (child: RosterChild, role: Role)? {
        if let child = current, child.id == id {
            current = nil
            return (child, .current)
        }
        if let child = successor, child.id == id {
            successor = nil
            return (child, .successor)
        }
        guard let index = retiring.firstIndex(where: { $0.id == id }) else { return nil }
        return (retiring.remove(at: index), .retiring)
    }

    enum Role {
        case current
        case successor
        case retiring
    }
}
