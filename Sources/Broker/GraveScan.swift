import Foundation
import JobModel
import Redis

/// Reads a grave page by page; each page is one short script, however large the grave is.
///
/// A place is a time and an entry, so entries may come and go meanwhile: what was there from the
/// beginning to the end is read exactly once.
package struct GraveScan: Sendable {
    /// Entries read in one step at most.
    static let step = 200
    /// Bytes after which a step ends.
    static let stepBytes = 4 * 1024 * 1024

    private let broker: RedisBroker
    private let grave: Grave
    private let filter: GraveFilter
    private let order: GraveOrder
    /// Where it has got to.
    package private(set) var place: GraveCursor?
    private var isOver = false
    /// Entries looked at so far, matching or not.
    package private(set) var seen = 0

    init(
        _ broker: RedisBroker, _ grave: Grave, _ filter: GraveFilter, _ order: GraveOrder,
        after place: GraveCursor?
    ) {
        self.broker = broker
        self.grave = grave
        self.filter = filter
        self.order = order
        self.place = place
    }

    /// The next entries that match; empty only at the end, or when `limit` more were looked at.
    package mutating func next(lookingAt limit: Int = .max) async throws(BrokerError)
        -> [BuriedRecord]
    {
        var looked = 0
        while !isOver, looked < limit {
            let read = try await page(min(Self.step, limit - looked))
            looked += read.count
            seen += read.count
            place = read.last?.cursor ?? place
            let wanted = read.prefix { !isBeyond($0.cursor) }
            if read.isEmpty || wanted.count < read.count { isOver = true }
            let matching = wanted.filter { isWithin($0.cursor) && filter.matches($0) }
            if !matching.isEmpty { return Array(matching) }
        }
        return []
    }

    /// Whether nothing is left to look at.
    package var isAtEnd: Bool { isOver }

    private func page(_ count: Int) async throws(BrokerError) -> [BuriedRecord] {
        var call = RedisScriptCall(
            broker.scripts.page,
            keys: [broker.keys.graveOrder(grave), broker.keys.graveEntries(grave)])
        call.append(order == .oldestFirst ? "asc" : "desc")
        // Without a place, the bound at which the scan begins.
        let bound = order == .oldestFirst ? filter.since : filter.until
        let time = place?.time ?? bound?.milliseconds
        call.append(time.map(String.init) ?? "")
        call.append(place?.entry ?? "")
        call.append(count)
        call.append(Self.stepBytes)
        guard let items = try await broker.run(call).array, items.count.isMultiple(of: 3) else {
            throw BrokerError.unexpected("page")
        }
        return stride(from: 0, to: items.count, by: 3).map { index in
            let bytes = items[index + 2].bytes ?? []
            let cursor = GraveCursor(
                time: Int64(Double(items[index + 1].string ?? "") ?? 0),
                entry: items[index].string ?? "")
            return BuriedRecord(cursor: cursor, bytes: bytes)
        }
    }

    /// Past the bound at which the scan ends.
    private func isBeyond(_ cursor: GraveCursor) -> Bool {
        switch order {
        case .newestFirst: filter.since.map { cursor.time < $0.milliseconds } ?? false
        case .oldestFirst: filter.until.map { cursor.time >= $0.milliseconds } ?? false
        }
    }

    private func isWithin(_ cursor: GraveCursor) -> Bool {
        (filter.since.map { cursor.time >= $0.milliseconds } ?? true)
            && (filter.until.map { cursor.time < $0.milliseconds } ?? true)
    }
}
