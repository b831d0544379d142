/// A request that was found fit for the wire, in the form the transfer needs.
struct PreparedRequest: Sendable {
    let method: String
    let target: RequestTarget
    /// As libcurl wants them: `Name: value`, and `Name;` for an empty value.
    let headerLines: HeaderLines
    let body: [UInt8]
    let connectTimeout: Duration
    let totalTimeout: Duration

    /// Checks everything that can be known without touching the network; `target` is what
    /// the request's URL was read as.
    ///
    /// - Throws: `.badHeader`, `.requestTooLarge`.
    init(
        _ request: HTTPRequest, to target: RequestTarget, limits: HTTPLimits
    ) throws(HTTPError) {
        let host = target.host
        guard FieldText.isMethod(request.method.utf8.span) else {
            throw HTTPError(
                code: .badHeader, host: host, message: "the method is not a word of capitals")
        }
        guard request.body.count <= limits.requestBodyBytes else {
            throw HTTPError(
                code: .requestTooLarge, host: host,
                message: "the request body has more than \(limits.requestBodyBytes) bytes")
        }
        headerLines = try Self.headerLines(of: request, host: host, limits: limits)
        self.target = target
        method = request.method
        body = request.body
        connectTimeout = min(request.connectTimeout, limits.connectTimeout)
        totalTimeout = min(request.totalTimeout, limits.totalTimeout)
    }

    private static func headerLines(
        of request: HTTPRequest, host: String, limits: HTTPLimits
    ) throws(HTTPError) -> HeaderLines {
        var lines = HeaderLines()
        lines.append("Expect:")
        var namesType = false
        var namesAgent = false
        var size = 0
        for (name, value) in request.headers {
            let nameBytes = name.utf8.span
            guard FieldText.isToken(nameBytes), !FieldText.isFraming(nameBytes) else {
                throw HTTPError(
                    code: .badHeader, host: host, message: "a header name cannot be sent")
            }
            let content = FieldText.content(of: value.utf8.span)
            guard content != .unfit else {
                throw HTTPError(
                    code: .badHeader, host: host,
                    message: "the value of \(name) holds a control character")
            }
            size += name.utf8.count + value.utf8.count + 4
            namesType = namesType || FieldText.isSame(nameBytes, "content-type")
            namesAgent = namesAgent || FieldText.isSame(nameBytes, "user-agent")
            if content == .blank {
                lines.append(name, ";")
            } else {
                lines.append(name, ": ", value)
            }
        }
        guard size <= limits.requestHeaderBytes else {
            throw HTTPError(
                code: .badHeader, host: host,
                message: "the headers have more than \(limits.requestHeaderBytes) bytes")
        }
        // libcurl would claim that a body is a form.
        if !namesType { lines.append("Content-Type:") }
        if !namesAgent { lines.append("User-Agent: backhaul") }
        return lines
    }
}
