import Broker
import Mailbox

/// The lists that are waited on now, each by one waiter; the set can change while they wait.
final class WaiterRoster: Sendable {
    /// One waiter, from when it is enlisted until its wait has ended for good.
    final class Entry: Sendable {
        let list: ListAddress
        let waiter: any ListWaiter
        private let retired = Locked(false)

        init(list: ListAddress, waiter: any ListWaiter) {
            self.list = list
            self.waiter = waiter
        }

        /// Whether its list is not to be waited on any more.
        var isRetired: Bool { retired.withLock { $0 } }

        fileprivate func retire() { retired.withLock { $0 = true } }
    }

    private let entries = Locked([Entry]())

    /// Every waiter that has not ended.
    var all: [Entry] { entries.withLock { $0 } }

    /// Makes the lists that are waited on those of `lists`: returns waiters to be started, and
    /// those that are to end.
    func change(
        to lists: [ListAddress], making make: ([ListAddress]) -> [any ListWaiter]
    ) -> (started: [Entry], retired: [Entry]) {
        let wanted = Set(lists)
        return entries.withLock { entries in
            let present = Set(entries.filter { !$0.isRetired }.map(\.list))
            let retired = entries.filter { !$0.isRetired && !wanted.contains($0.list) }
            for entry in retired { entry.retire() }
            let new = lists.filter { !present.contains($0) }
            let started = zip(new, make(new)).map { Entry(list: $0, waiter: $1) }
            entries += started
            return (started, retired)
        }
    }

    /// Strikes out one that has ended.
    func remove(_ entry: Entry) { entries.withLock { $0.removeAll { $0 === entry } } }
}
