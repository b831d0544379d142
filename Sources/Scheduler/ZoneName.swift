import Foundation

/// The name of a time zone in a schedule file.
enum ZoneName {
    struct Failure: Error {
        let problem: String
    }

    /// Accepts names of the tz database.
    ///
    /// Abbreviations such as CET or EST are refused: some mean a
    /// fixed offset, some a region, and several mean different things on different continents.
    static func zone(_ name: String) -> Result<TimeZone, Failure> {
        if ["UTC", "GMT"].contains(name) { return .success(.gmt) }
        if name.contains("/"), let zone = TimeZone(identifier: name) { return .success(zone) }
        let hint = NearestName.hint(for: name, among: TimeZone.knownTimeZoneIdentifiers + ["UTC"])
        let problem =
            "\"\(name)\" is not a name of the tz database such as Europe/Berlin or UTC\(hint)"
        return .failure(Failure(problem: problem))
    }
}
