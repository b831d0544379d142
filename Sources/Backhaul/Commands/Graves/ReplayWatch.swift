import Broker
import Foundation
import JobModel

/// Watches jobs that were put back: which came back to a grave or failed, and which succeeded.
///
/// A job whose result nobody stores, and that succeeds, is never heard of again.
struct ReplayWatch {
    /// Clocks of workers may differ by this much; what was buried "before" is looked at again.
    private static let overlap: Int64 = 2000
    /// The most jobs watched at a time; of older ones no more is heard.
    static let maximumWatched = 10_000

    private let broker: RedisBroker
    /// Entries that are to be put back: they are no news.
    private let known: Set<String>
    /// The jobs not heard of yet, and what their results said before.
    private var outstanding: [JobID: ResultGlimpse?] = [:]
    private var arrivals: [JobID] = []
    private var places: [Grave: GraveCursor]

    init(_ broker: RedisBroker, known: [String], now: Date) {
        self.broker = broker
        self.known = Set(known)
        let start = Int64(now.timeIntervalSince1970 * 1000) - Self.overlap
        places = Dictionary(
            uniqueKeysWithValues: Grave.allCases.map { ($0, GraveCursor(time: start, entry: "")) })
    }

    /// How many jobs nothing was heard of yet.
    var unheard: Int { outstanding.count }

    /// Begins to watch a job, whose result said `before` when it was put back.
    mutating func add(_ id: JobID, before: ResultGlimpse?) {
        outstanding[id] = .some(before)
        arrivals.append(id)
        while outstanding.count > Self.maximumWatched, !arrivals.isEmpty {
            outstanding[arrivals.removeFirst()] = nil
        }
    }

    /// Takes back ``add(_:before:)``: the job was not put back after all.
    mutating func remove(_ id: JobID) { outstanding[id] = nil }

    /// What has ended since the last look.
    mutating func look() async throws(BrokerError) -> (failed: [JobID], succeeded: Int) {
        guard !outstanding.isEmpty else { return ([], 0) }
        var failed = try await lookIntoGraves()
        var succeeded = 0
        arrivals.removeAll { outstanding[$0] == nil }
        let ids = arrivals
        for (id, now) in zip(ids, try await broker.results(of: ids)) {
            guard let now, let before = outstanding[id], now != before else { continue }
            switch now.status {
            case "FAILURE", "REVOKED":
                failed.append(id)
                outstanding[id] = nil
            case "SUCCESS":
                succeeded += 1
                outstanding[id] = nil
            default: break
            }
        }
        return (failed, succeeded)
    }

    private mutating func lookIntoGraves() async throws(BrokerError) -> [JobID] {
        var failed: [JobID] = []
        for grave in Grave.allCases {
            var scan = broker.scan(grave, order: .oldestFirst, after: places[grave])
            while true {
                let records = try await scan.next()
                if records.isEmpty { break }
                for record in records where !known.contains(record.entry) {
                    guard let id = record.message?.id.map(JobID.init),
                        outstanding.removeValue(forKey: id) != nil
                    else { continue }
                    failed.append(id)
                }
            }
            if let last = scan.place, let old = places[grave] {
                let time = max(old.time, last.time - Self.overlap)
                places[grave] = GraveCursor(time: time, entry: "")
            }
        }
        return failed
    }
}
