package import Foundation
import JobModel

/// The ticks of several entries over some days ahead, in the order in which they fire.
package struct Simulation: Sendable, Equatable {
    /// The most ticks of one simulation.
    package static let maximumTicks = 100_000

    package let ticks: [UpcomingTick]
    /// Whether there are more ticks in that time than the limit allows.
    package let isCut: Bool

    /// Simulates `days` times 24 hours after `start`, without asking what was recorded.
    package init(
        of entries: [ScheduleEntry], from start: Date, days: Int, limit: Int = maximumTicks
    ) {
        let end = start.addingTimeInterval(Double(max(days, 0)) * 86_400)
        var heap = TickHeap()
        for (index, entry) in entries.enumerated() {
            guard let dueAt = entry.nextTick(after: start), dueAt <= end else { continue }
            heap.push(.init(tick: UpcomingTick(entry: entry, dueAt: dueAt), index: index))
        }
        var ticks: [UpcomingTick] = []
        while ticks.count < limit, let first = heap.first {
            ticks.append(first.tick)
            let entry = entries[first.index]
            if let dueAt = entry.nextTick(after: first.tick.dueAt), dueAt <= end {
                heap.replaceFirst(
                    with: .init(tick: UpcomingTick(entry: entry, dueAt: dueAt), index: first.index))
            } else {
                heap.removeFirst()
            }
        }
        self.ticks = ticks
        isCut = heap.first != nil
    }
}

/// The next tick of each entry, the earliest on top.
private struct TickHeap {
    struct Item {
        let tick: UpcomingTick
        let index: Int

        func precedes(_ other: Item) -> Bool {
            (tick.firesAt, tick.dueAt, tick.entry)
                < (other.tick.firesAt, other.tick.dueAt, other.tick.entry)
        }
    }

    private var items: [Item] = []

    var first: Item? { items.first }

    mutating func push(_ item: Item) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[child].precedes(items[(child - 1) / 2]) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard let last = items.popLast(), !items.isEmpty else { return }
        replaceFirst(with: last)
    }

    mutating func replaceFirst(with item: Item) {
        items[0] = item
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < items.count }
            guard
                let least = children.min(by: { items[$0].precedes(items[$1]) }),
                items[least].precedes(items[parent])
            else { return }
            items.swapAt(least, parent)
            parent = least
        }
    }
}
