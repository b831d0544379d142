package import Foundation
package import JobModel
import Redis

extension RedisBroker {
    /// The most wishes read in one call.
    private static let cancellationsEachCall = 10_000

    /// Asks that jobs end, whether they wait, run, or have yet to come; remembered for
    /// `cancellationKept`.
    ///
    /// Returns how many older wishes were dropped to keep within `maximumCancelled`.
    @discardableResult
    package func cancel(_ ids: [JobID]) async throws(BrokerError) -> Int {
        var call = RedisScriptCall(scripts.cancel, keys: [keys.cancelled])
        call.append(Int(options.cancellationKept.inSeconds))
        call.append(options.maximumCancelled)
        call.append(contentsOf: ids.map(\.text))
        return Int(try await run(call).int ?? 0)
    }

    package func cancellations(since: Date?) async throws(BrokerError) -> Cancellations {
        let now = try await serverMilliseconds()
        let from = since.map { "\($0.milliseconds)" } ?? "-inf"
        var ids: [JobID] = []
        var page: [JobID]
        repeat {
            let reply = try await send(
                RedisCommand(
                    "ZRANGEBYSCORE", keys.cancelled, from, "+inf", "LIMIT", ids.count,
                    Self.cancellationsEachCall))
            page = (reply.array ?? []).compactMap { $0.string.map { JobID($0) } }
            ids += page
        } while page.count == Self.cancellationsEachCall
        // A script that began before may write a little later.
        let next = Date(timeIntervalSince1970: Double(now - 1000) / 1000)
        return Cancellations(ids: ids, next: next)
    }
}
