internal import CCurl
import Glibc

/// A place for one request on the wire after the other: sets up the handle, receives through C
/// callbacks, reads the outcome.
///
/// What requests have in common is set once and kept as long as the next one is of the same kind.
///
/// Threading: belongs to the driver's thread, on which libcurl also calls back. The callbacks find
/// it by an unretained pointer, valid because the driver holds it until the handle is removed.
@safe
final class Transfer {
    /// What decides over the options that differ between requests.
    private struct Kind: Equatable {
        let method: String
        let hasBody: Bool

        var sendsBody: Bool { method != "HEAD" && (hasBody || method == "POST") }
    }

    let easy = CurlEasy()
    /// Among the driver's transfers.
    let place: Int
    private let policy: AddressPolicy
    private let limits: HTTPLimits
    private let certificateAuthorities: String?
    private let sockets: SocketWatch
    private var kind: Kind?

    private var current: AdmissionQueue<Submission>.Admitted?
    private var headers = HTTPHeaders()
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var hasOpened = false
    private(set) var deniedCount = 0

    /// Opened sockets are judged by the guard, and known to `sockets` until they are closed.
    init(
        place: Int, policy: AddressPolicy, limits: HTTPLimits, certificateAuthorities: String?,
        sockets: SocketWatch
    ) {
        self.place = place
        self.policy = policy
        self.limits = limits
        self.certificateAuthorities = certificateAuthorities
        self.sockets = sockets
    }

    /// The request that was taken up and has not been ended.
    var submission: Submission { admitted.element }

    /// The same, with the line whose slot it holds.
    var admitted: AdmissionQueue<Submission>.Admitted {
        guard let current else { preconditionFailure("no request is under way") }
        return current
    }

    /// Whether a request is under way.
    var isActive: Bool { current != nil }

    // MARK: Setting up

    /// Takes up a request; `remaining` is what is left of the total time.
    func prepare(_ admitted: AdmissionQueue<Submission>.Admitted, remaining: Duration) {
        current = admitted
        let request = admitted.element.request
        let wanted = Kind(method: request.method, hasBody: !request.body.isEmpty)
        if kind != wanted {
            easy.reset()
            setCommon()
            setMethod(wanted)
            kind = wanted
        }
        easy.setTarget(request.target)
        easy.set(CURLOPT_CONNECTTIMEOUT_MS, min(request.connectTimeout, remaining))
        easy.set(CURLOPT_TIMEOUT_MS, remaining)
        easy.setHeaders(request.headerLines)
        if wanted.sendsBody { easy.setBody(request.body) }
    }

    /// Lets go of the request and of what came back; the handle was removed.
    func end() {
        if kind?.sendsBody == true { easy.dropBody() }
        current = nil
        headers = HTTPHeaders()
        headerBytes = 0
        body = []
        isTooLarge = false
        hasOpened = false
        deniedCount = 0
    }

    private func setCommon() {
        easy.setPlace(place)
        easy.set(CURLOPT_PROTOCOLS_STR, "http,https")
        easy.set(CURLOPT_FOLLOWLOCATION, 0)
        // A proxy from the environment would hide the address from the guard.
        easy.set(CURLOPT_PROXY, "")
        easy.set(CURLOPT_NOSIGNAL, 1)
        // Without it a removed transfer waits for its resolver thread, and all others with it.
        easy.set(CURLOPT_QUICK_EXIT, 1)
        easy.set(CURLOPT_TCP_NODELAY, 1)
        if let certificateAuthorities { easy.set(CURLOPT_CAINFO, certificateAuthorities) }
        setCallbacks()
    }

    private func setMethod(_ kind: Kind) {
        if kind.method == "HEAD" {
            easy.set(CURLOPT_NOBODY, 1)
            return
        }
        easy.set(CURLOPT_MAXFILESIZE_LARGE, bytes: limits.responseBytes)
        switch kind.method {
        case "GET" where !kind.hasBody: easy.set(CURLOPT_HTTPGET, 1)
        case "POST": easy.set(CURLOPT_POST, 1)
        default: easy.set(CURLOPT_CUSTOMREQUEST, kind.method)
        }
    }

    private func setCallbacks() {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let sockets = unsafe Unmanaged.passUnretained(sockets).toOpaque()
        unsafe easy.withHandle { handle in
            unsafe curl_set_opener(handle) { context, _, address in
                guard let address = unsafe address else { return CURL_SOCKET_BAD }
                return unsafe Transfer.at(context)?.open(address) ?? CURL_SOCKET_BAD
            }
            unsafe curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, context)
            // A connection outlives its transfer: its end is told to those that watch sockets.
            unsafe curl_set_closer(handle) { context, socket in
                guard let context = unsafe context else { return 0 }
                unsafe Unmanaged<SocketWatch>.fromOpaque(context).takeUnretainedValue()
                    .close(socket)
                return 0
            }
            unsafe curl_set_pointer(handle, CURLOPT_CLOSESOCKETDATA, sockets)
            unsafe curl_set_receiver(handle, CURLOPT_HEADERFUNCTION) {
                bytes, size, count, context in
                let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
                return unsafe Transfer.at(context)?.receive(headerLine: line) ?? 0
            }
            unsafe curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
            unsafe curl_set_receiver(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                let part = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
                return unsafe Transfer.at(context)?.receive(part: part) ?? 0
            }
            unsafe curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        }
    }

    private static func at(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        unsafe context.map { unsafe Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: Called back by libcurl

    /// The guard: every new connection comes through here with the address it will go to.
    ///
    /// `curl_sockaddr.addr` is declared as a short `sockaddr`, so the longer IPv6 form is read from
    /// memory, within `addrlen`.
    private func open(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let length = unsafe Int(address.pointee.addrlen)
        let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0
        let bytes = unsafe UnsafeRawBufferPointer(
            start: UnsafeRawPointer(address) + offset, count: length)
        var peer: IPAddress?
        switch unsafe address.pointee.family {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            let value = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            peer = .v4(UInt32(bigEndian: value))
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            let value = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self)
            peer = IPAddress(v6: UInt128(bigEndian: value))
        default: break
        }
        guard let peer, policy.permits(peer) else {
            deniedCount += 1
            return CURL_SOCKET_BAD
        }
        hasOpened = true
        let kind = unsafe address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        let opened = unsafe socket(address.pointee.family, kind, address.pointee.protocol)
        if opened >= 0 { sockets.noteOpened(opened) }
        return opened
    }

    private func receive(headerLine line: UnsafeRawBufferPointer) -> Int {
        headerBytes += line.count
        guard headerBytes <= limits.responseHeaderBytes else {
            isTooLarge = true
            return 0
        }
        // What comes after the body has begun is a trailer, and is not kept.
        if body.isEmpty { unsafe headers.take(line: line) }
        return line.count
    }

    private func receive(part: UnsafeRawBufferPointer) -> Int {
        guard body.count + part.count <= limits.responseBytes else {
            isTooLarge = true
            return 0
        }
        unsafe body.append(contentsOf: part)
        return part.count
    }

    // MARK: Reading the outcome

    /// What the transfer came to, read before the handle is reset.
    func outcome(of code: CURLcode) -> Result<HTTPResponse, HTTPError> {
        guard code == CURLE_OK else {
            let reason = unsafe String(cString: curl_easy_strerror(code))
            return .failure(failure(meaning(of: code), reason))
        }
        return .success(
            HTTPResponse(
                status: easy.integer(CURLINFO_RESPONSE_CODE), headers: headers, body: body,
                remoteAddress: easy.text(CURLINFO_PRIMARY_IP),
                elapsed: .microseconds(easy.size(CURLINFO_TOTAL_TIME_T))))
    }

    /// An error with what is known of the transfer so far.
    func failure(_ code: HTTPError.Code, _ message: String) -> HTTPError {
        let status = easy.integer(CURLINFO_RESPONSE_CODE)
        return HTTPError(
            code: code, host: submission.request.target.host, message: message,
            mayHaveBeenSent: easy.integer(CURLINFO_REQUEST_SIZE) > 0
                || easy.size(CURLINFO_PRETRANSFER_TIME_T) > 0,
            status: status > 0 ? status : nil)
    }

    private func meaning(of code: CURLcode) -> HTTPError.Code {
        switch code {
        case _ where isTooLarge: .responseTooLarge
        case CURLE_FILESIZE_EXCEEDED: .responseTooLarge
        case CURLE_COULDNT_CONNECT: deniedCount > 0 && !hasOpened ? .blockedAddress : .connect
        case CURLE_COULDNT_RESOLVE_HOST: .resolve
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_NOTFOUND:
            .tls
        case CURLE_URL_MALFORMAT: .badURL
        default: .aborted
        }
    }
}
