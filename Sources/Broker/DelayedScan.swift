import Foundation
import JobModel
import Redis

/// Reads the jobs that wait in the order of their due time, page by page; each page is one short
/// script, however many wait.
///
/// Jobs may come and go meanwhile: what waited, unchanged, from the beginning to the end is read
/// exactly once.
package struct DelayedScan: Sendable {
    /// Jobs read in one step at most.
    static let step = 500
    /// Bytes after which a step ends.
    static let stepBytes = 4 * 1024 * 1024

    private let broker: RedisBroker
    private let filter: DelayedFilter
    /// Where it has got to.
    package private(set) var place: DelayedPlace?
    /// Whether nothing is left to look at.
    package private(set) var isAtEnd = false

    init(_ broker: RedisBroker, _ filter: DelayedFilter, after place: DelayedPlace?) {
        self.broker = broker
        self.filter = filter
        self.place = place
    }

    /// The next jobs that match; empty only at the end.
    package mutating func next() async throws(BrokerError) -> [DelayedJob] {
        while !isAtEnd {
            let read = try await page()
            place = read.last?.place ?? place
            let end = filter.before?.milliseconds
            let wanted = read.prefix { item in end.map { item.place.due < $0 } ?? true }
            if read.isEmpty || wanted.count < read.count { isAtEnd = true }
            let jobs = wanted.compactMap { item in
                DelayedJob(item.place, record: item.record, keys: broker.keys)
            }.filter(filter.matches)
            if !jobs.isEmpty { return jobs }
        }
        return []
    }

    private func page() async throws(BrokerError) -> [(place: DelayedPlace, record: [UInt8])] {
        var call = RedisScriptCall(
            broker.scripts.page, keys: [broker.keys.delayed, broker.keys.delayedMessages])
        call.append("asc")
        call.append((place?.due ?? filter.from?.milliseconds).map { "\($0)" } ?? "")
        call.append(place?.member ?? "")
        call.append(Self.step)
        call.append(Self.stepBytes)
        guard let items = try await broker.run(call).array, items.count.isMultiple(of: 3) else {
            throw BrokerError.unexpected("page")
        }
        return stride(from: 0, to: items.count, by: 3).map { index in
            let due = Int64(Double(items[index + 1].string ?? "") ?? 0)
            return (
                DelayedPlace(due: due, member: items[index].string ?? ""),
                items[index + 2].bytes ?? []
            )
        }
    }
}
