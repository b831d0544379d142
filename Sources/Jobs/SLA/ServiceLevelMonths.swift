import Foundation
import JobModel
import Store

/// Which months a job's `period` means.
struct ServiceLevelMonths: Sendable {
    let levels: ServiceLevelRepository

    /// The months of all zones that have begun by `moment`.
    ///
    /// A period is a month such as `2026-11`; `current`, the month of that moment in each zone;
    /// `provisional`, the month before while reports for it still count; none is both.
    ///
    /// - Throws: `PermanentFailure` when it is none of these.
    func periods(_ period: String?, at moment: Date) async throws -> [ServiceLevelPeriod] {
        switch period {
        case nil: return try await levels.currentPeriods(at: moment)
        case "current":
            return try await levels.currentPeriods(at: moment).filter { moment < $0.end }
        case "provisional":
            return try await levels.currentPeriods(at: moment).filter { $0.end <= moment }
        case .some(let text):
            guard text.wholeMatch(of: /[0-9]{4}-(0[1-9]|1[0-2])/) != nil, text >= "1970" else {
                throw PermanentFailure(
                    "period must be a month such as 2026-11, current or provisional")
            }
            return try await levels.periods(ofMonth: text + "-01").filter { $0.start <= moment }
        }
    }

    /// The names of the months, each once, the oldest first.
    static func names(_ periods: [ServiceLevelPeriod]) -> [String] {
        Set(periods.map(\.month)).sorted()
    }
}
