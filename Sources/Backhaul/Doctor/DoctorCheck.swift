/// What the doctor found in one place.
struct DoctorCheck: Sendable, Equatable, Encodable {
    /// How bad it is.
    enum State: String, Sendable, Encodable {
        case ok
        /// Works, but somebody should decide whether this is meant.
        case warn
        /// A worker or scheduler would not work, or would lose jobs.
        case fail
    }

    /// What was looked at.
    let name: String
    let state: State
    /// What was found there.
    let found: String
    /// What to do about it; `nil` when there is nothing to do.
    let advice: String?

    private init(_ name: String, _ state: State, _ found: String, _ advice: String?) {
        self.name = name
        self.state = state
        self.found = found
        self.advice = advice
    }

    static func ok(_ name: String, _ found: String) -> DoctorCheck {
        DoctorCheck(name, .ok, found, nil)
    }

    static func warn(_ name: String, _ found: String, advice: String) -> DoctorCheck {
        DoctorCheck(name, .warn, found, advice)
    }

    static func fail(_ name: String, _ found: String, advice: String) -> DoctorCheck {
        DoctorCheck(name, .fail, found, advice)
    }
}
