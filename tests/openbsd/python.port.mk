# A stub of OpenBSD's python.port.mk, as python-modules(5) describes it. Two things are not as there:
# hatchling is called without devel/py-build before it, which does nothing else, and py-installer is
# told the prefix, which on OpenBSD is the interpreter's own.

CATEGORIES +=		lang/python

MODPY_RUN_DEPENDS =	lang/python/3
MODPY_PY_PREFIX =	py3-
MODPY_PYCACHE =		__pycache__/
MODPY_PYC_MAGIC_TAG =	cpython-${MODPY_VERSION:S/.//}.
MODPY_PYOEXTENSION =	opt-1.pyc
MODPY_LIBDIR =		${LOCALBASE}/lib/python${MODPY_VERSION}
MODPY_SITEPKG =		${MODPY_LIBDIR}/site-packages
MODPY_PYTEST_ARGS ?=

BUILD_DEPENDS +=	lang/python/3 devel/py-build devel/py-installer
RUN_DEPENDS +=		${MODPY_RUN_DEPENDS}
TEST_DEPENDS +=		${RUN_DEPENDS} devel/py-test

.if ${MODPY_PYBUILD} == hatchling
BUILD_DEPENDS +=	devel/py-hatchling
.else
ERRORS +=		MODPY_PYBUILD=${MODPY_PYBUILD} is not what pyproject.toml wants.
.endif

.if ${MODPY_PI:tl} == yes
_EGG =			${DISTNAME:S/-${MODPY_DISTV}//}
SITES =			https://pypi.io/packages/source/${_EGG:C/^(.).*/\1/}/${_EGG}/
.endif

SUBST_VARS +=		MODPY_PYCACHE MODPY_PYC_MAGIC_TAG MODPY_BIN MODPY_DISTV MODPY_VERSION \
			MODPY_PY_PREFIX MODPY_PYOEXTENSION

_RUN =			cd ${WRKSRC} && ${SETENV} PATH=/usr/bin:/bin PYTHONPATH=${MODPY_PATH} ${MODPY_BIN}

do-build:
	${_RUN} -sBm hatchling build -t wheel

do-install:
	${INSTALL_DATA_DIR} ${WRKINST}${MODPY_LIBDIR}
	${_RUN} -m installer -p ${LOCALBASE} -d ${WRKINST} ${WRKSRC}/dist/*.whl
