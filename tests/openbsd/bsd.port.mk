# A stub of OpenBSD's bsd.port.mk: the variables, in the order in which bsd.port.mk(5) has them come
# about, and the steps from the sdist to the fake root. It knows no more than our port needs, and
# what is wrong it adds to ERRORS. In the dialect of bmake: where OpenBSD's make says ${X:L}, this
# says ${X:tl}.
#
# To be given: WRKDIR, DISTDIR, MODPY_BIN and MODPY_VERSION.

PKGPATH ?=	mail/opensmtpd-plugins
LOCALBASE ?=	/usr/local
SYSCONFDIR ?=	/etc
LOCALSTATEDIR ?=	/var
PKGDIR ?=	${.CURDIR}/pkg
FILESDIR ?=	${.CURDIR}/files
SETENV ?=	/usr/bin/env -i
INSTALL ?=	install

.if ${MODULES:Mlang/python}
.  include "python.port.mk"
.endif
.for _m in ${MODULES:Nlang/python}
ERRORS +=	unknown module ${_m}.
.endfor

PREFIX ?=	${LOCALBASE}
TRUEPREFIX ?=	${PREFIX}
BASE_PKGPATH :=	${PKGPATH}
PKGNAME ?=	${DISTNAME}
EXTRACT_SUFX ?=	.tar.gz
DISTFILES ?=	${DISTNAME}${EXTRACT_SUFX}
MAINTAINER ?=	The OpenBSD ports mailing-list <ports@openbsd.org>
WRKINST ?=	${WRKDIR}/fake
WRKSRC ?=	${WRKDIR}/${DISTNAME}

INSTALL_SCRIPT =	${INSTALL} -c -m 755
INSTALL_DATA =		${INSTALL} -c -m 644
INSTALL_MAN =		${INSTALL} -c -m 644
INSTALL_SCRIPT_DIR =	${INSTALL} -d -m 755
INSTALL_DATA_DIR =	${INSTALL} -d -m 755

.for _v in CATEGORIES DISTNAME HOMEPAGE MULTI_PACKAGES PERMIT_PACKAGE
.  if !defined(${_v})
ERRORS +=	${_v} is missing.
.  endif
.endfor
.for _v in FLAVOR FLAVORS MASTER_SITES MODPY_EGG_VERSION MODPY_SETUPTOOLS \
	PERMIT_PACKAGE_CDROM PERMIT_PACKAGE_FTP REGRESS_DEPENDS
.  if defined(${_v})
ERRORS +=	${_v} is a thing of the past.
.  endif
.endfor
.if empty(CATEGORIES:M${PKGPATH:H})
ERRORS +=	${PKGPATH:H} is not among CATEGORIES.
.endif

SUBST_VARS +=	BASE_PKGPATH FULLPKGNAME HOMEPAGE LOCALBASE MAINTAINER PREFIX \
		SYSCONFDIR LOCALSTATEDIR TRUEPREFIX PKGSTEM

.for _s in ${MULTI_PACKAGES}
PKGNAME${_s} ?=		${PKGNAME}${_s}
FULLPKGNAME${_s} ?=	${PKGNAME${_s}}
PKGSTEM${_s} ?=		${FULLPKGNAME${_s}:C/-[0-9].*//}
RUN_DEPENDS${_s} ?=	${RUN_DEPENDS}
PLIST${_s} ?=		${PKGDIR}/PLIST${_s}
DESCR${_s} ?=		${PKGDIR}/DESCR${_s}
.  if !defined(COMMENT${_s})
ERRORS +=	COMMENT${_s} is missing.
.  endif
.  for _f in ${PLIST${_s}} ${DESCR${_s}}
.    if !exists(${_f})
ERRORS +=	${_f:T} is missing.
.    endif
.  endfor
.endfor

# Those that our port may depend on: each but py-psycopg3 is there in the ports tree.
_PORTS =	databases/py-ldap databases/py-psycopg3 databases/py-pymysql \
		devel/py-build devel/py-click devel/py-hatchling \
		devel/py-hypothesis devel/py-installer devel/py-rich \
		devel/py-test lang/python/3 mail/py-dkimpy net/py-aiodns \
		net/py-dnspython net/py-msgpack security/py-argon2-cffi \
		security/py-bcrypt security/py-cryptography security/py-passlib \
		${MULTI_PACKAGES:S/^/${PKGPATH},/}
_DEPENDS =	${BUILD_DEPENDS} ${TEST_DEPENDS} ${RUN_DEPENDS} \
		${MULTI_PACKAGES:@s@${RUN_DEPENDS${s}}@}
.for _d in ${_DEPENDS:C/[<>=].*//:O:u}
.  if empty(_PORTS:M${_d})
ERRORS +=	there is no port ${_d}.
.  endif
.endfor

# USED may be given: names that the port's Makefile uses.
.for _v in ${USED}
.  if !defined(${_v})
ERRORS +=	${_v} is used, and nobody sets it.
.  endif
.endfor

_SHOWN =	BUILD_DEPENDS DISTFILES ERRORS HOMEPAGE MULTI_PACKAGES PERMIT_PACKAGE SITES \
		SUBST_VARS TEST_DEPENDS
_SHOWN_EACH =	COMMENT FULLPKGNAME PKGSTEM RUN_DEPENDS

.PHONY: show fake extract
show:
.for _v in ${_SHOWN} ${SUBST_VARS}
	@printf '%s\n' ${_v}=${${_v}:Q}
.endfor
.for _s in ${MULTI_PACKAGES}
.  for _v in ${_SHOWN_EACH}
	@printf '%s\n' ${_v}${_s}=${${_v}${_s}:Q}
.  endfor
.endfor

# FAKE_SETUP gives the steps of the installation a PREFIX inside the fake root.
_FAKE_TREE =	bin libexec man/man3 man/man5 man/man7 man/man8 share/doc/pkg-readmes \
		share/examples
fake: extract
	${MAKE} do-build
	mkdir -p ${_FAKE_TREE:S,^,${WRKINST}${PREFIX}/,}
	${MAKE} do-install PREFIX=${WRKINST}${PREFIX} TRUEPREFIX=${PREFIX}
.if target(post-install)
	${MAKE} post-install PREFIX=${WRKINST}${PREFIX} TRUEPREFIX=${PREFIX}
.endif

extract:
	mkdir -p ${WRKDIR}
	cd ${WRKDIR} && tar xzf ${DISTDIR}/${DISTFILES}
